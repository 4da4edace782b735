# Adds up bytes of code and constants in a linker's map, after garbage collection; prints them, and those of them that run
# from RAM. `objects`: names of object files, with or without folders; a member of an archive has its own name. With
# `listed` 1 they are what counts, with 0 all others do.
function hex(text,   value, i) {
  for (i = 3; i <= length(text); ++i) value = 16 * value + index("0123456789abcdef", substr(text, i, 1)) - 1
  return value
}
function base_name(file) {
  sub(/^.*[\/(]/, "", file)
  sub(/\)$/, "", file)
  return file
}
BEGIN {
  count = split(objects, names)
  for (i = 1; i <= count; ++i) is_listed[base_name(names[i])] = 1
}
/^Linker script and memory map/ { linked = 1 }
!linked { next }
/^[^ ]/ { section = $1; next }
section !~ /^\.(text|text\.flash|ram_code|restore_code|rodata)$/ || /\*fill\*/ { next }
# A line is " .text.name 0xADDRESS 0xSIZE FILE"; long names have the rest on a line of its own.
{
  for (i = 1; i < NF - 1; ++i) {
    if ($i !~ /^0x[0-9a-f]+$/ || $(i + 1) !~ /^0x[0-9a-f]+$/) continue
    if ((base_name($(i + 2)) in is_listed) != listed) break
    total += hex($(i + 1))
    if (section ~ /_code$/) in_ram += hex($(i + 1))
    break
  }
}
END { print total + 0, in_ram + 0 }
