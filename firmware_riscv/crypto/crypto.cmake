# The cryptographic functions, from sources that scripts/get-crypto-sources fetches: a block of code for the board
# (overlay/overlay.ld), which board_crypto.cc copies to where it runs. Sets crypto_objects, for riscv_program(). Without
# these sources they are no_crypto_objects, of a board that opens nothing signed.
option(MODELVAULT_BOARD_FAST_HASH "The board hashes in three quarters of the time, with 6 KB more code" OFF)
set(MODELVAULT_CRYPTO_SOURCES ${PROJECT_SOURCE_DIR}/.crypto-sources
    CACHE PATH "What scripts/get-crypto-sources has fetched")

set(crypto_folder ${CMAKE_CURRENT_SOURCE_DIR}/crypto)
set(overlay_folder ${CMAKE_CURRENT_BINARY_DIR}/crypto_overlay)
set(overlay ${overlay_folder}/overlay.bin)
riscv_object(board_crypto_object ${crypto_folder}/board_crypto.cc -march=rv32imac_zicsr_zifencei -Os)
riscv_object(no_image_object ${crypto_folder}/overlay_image.S -march=rv32imac)
set(no_crypto_objects ${board_crypto_object} ${no_image_object})
if(NOT EXISTS ${MODELVAULT_CRYPTO_SOURCES}/contents)
  message(STATUS "board: without signatures (scripts/get-crypto-sources)")
  set(crypto_objects ${no_crypto_objects})
  set(MODELVAULT_BOARD_HAS_CRYPTO FALSE)
  return()
endif()
set(MODELVAULT_BOARD_HAS_CRYPTO TRUE)
# Other sources: another configuration.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${MODELVAULT_CRYPTO_SOURCES}/contents)

# What the libraries' own configurations would tell them. libb2 gives its functions a suffix per processor.
set(libsodium ${MODELVAULT_CRYPTO_SOURCES}/libsodium/src/libsodium)
set(bearssl ${MODELVAULT_CRYPTO_SOURCES}/bearssl)
set(libb2 ${MODELVAULT_CRYPTO_SOURCES}/libb2/src)
file(CONFIGURE OUTPUT ${overlay_folder}/include/config.h CONTENT "#define NATIVE_LITTLE_ENDIAN 1\n")
# libb2 writes the ten rounds of a block out.
set(rounds_in_loop ${overlay_folder}/include/blake2s-ref.c)
if(MODELVAULT_BOARD_FAST_HASH)
  file(REMOVE ${rounds_in_loop})
  set(hash_flags -O2 -fno-schedule-insns -funroll-loops)
else()
  file(READ ${libb2}/blake2s-ref.c content)
  string(REGEX REPLACE "ROUND\\( 0 \\);.*ROUND\\( 9 \\);" "for( int r = 0; r < 10; ++r ) ROUND( r );" in_loop "${content}")
  if(in_loop STREQUAL content)
    message(FATAL_ERROR "${libb2}/blake2s-ref.c has no rounds as they are known")
  endif()
  file(CONFIGURE OUTPUT ${rounds_in_loop} CONTENT "${in_loop}" @ONLY)
  set(hash_flags -O2 -fschedule-insns -fsched-pressure)
endif()
# BearSSL writes eight of SHA-512's eighty steps out, each with other names for the same eight variables.
file(READ ${bearssl}/src/hash/sha2big.c content)
string(REGEX REPLACE "i \\+= 8\\)(.*)SHA2BIG_STEP\\(b, [^\n]*i \\+ 7\\);"
       "++i)\\1{ const uint64_t t = h; h = g; g = f; f = e; e = d; d = c; c = b; b = a; a = t; }" in_loop "${content}")
string(REGEX REPLACE "SHA2BIG_STEP\\([b-h], [^\n]*;\n" "" in_loop "${in_loop}")
if(in_loop STREQUAL content)
  message(FATAL_ERROR "${bearssl}/src/hash/sha2big.c has no steps as they are known")
endif()
file(CONFIGURE OUTPUT ${overlay_folder}/include/hash/sha2big.c CONTENT "${in_loop}" @ONLY)
set(library_flags -DCONFIGURED=1 -DSUFFIX= -isystem ${overlay_folder}/include -isystem ${libsodium}
                  -isystem ${libsodium}/include -isystem ${libsodium}/include/sodium -isystem ${bearssl}/inc
                  -isystem ${bearssl}/src -isystem ${libb2})
# Code that finds all relative to itself: medany, and no tables of addresses to jump to. With -O2 the curve is slower.
set(overlay_flags -march=rv32imac -mcmodel=medany -fno-jump-tables -msave-restore -Os)

# As riscv_object(), of a library's source, which has warnings.
set(overlay_objects)
function(overlay_object name source)
  set(object ${overlay_folder}/${name}.o)
  set(compiler ${MODELVAULT_RISCV_GCC} -std=c11)
  if(source MATCHES "\\.cc$")
    set(compiler ${MODELVAULT_RISCV_GXX} ${riscv_cxx_flags})
  endif()
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${compiler} ${overlay_flags} ${riscv_flags} ${library_flags} ${ARGN} -MD -MF ${object}.d -c ${source}
            -o ${object}
    DEPENDS ${source} ${MODELVAULT_CRYPTO_SOURCES}/contents
    DEPFILE ${object}.d
    COMMENT "RV32 overlay ${name}"
    VERBATIM)
  set(overlay_objects ${overlay_objects} ${object} PARENT_SCOPE)
endfunction()

foreach(name IN ITEMS curve25519.c entries.S open.c scalar.c sha512.c sodium_parts.c)
  overlay_object(${name} ${crypto_folder}/overlay/${name})
endforeach()
overlay_object(hash.c ${crypto_folder}/overlay/hash.c ${hash_flags})
overlay_object(memory.cc ${CMAKE_CURRENT_SOURCE_DIR}/loader/memory.cc)
foreach(source IN ITEMS codec/dec64be codec/enc64be int/i31_add int/i31_bitlen int/i31_decode int/i31_decred
                        int/i31_encode int/i31_muladd int/i31_rshift int/i31_sub int/i32_div32 symcipher/chacha20_ct
                        symcipher/poly1305_ctmul)
  cmake_path(GET source FILENAME name)
  overlay_object(${name} ${bearssl}/src/${source}.c -w)
endforeach()

set(overlay_links)
foreach(address IN ITEMS 0x20000000 0x80012340)
  set(elf ${overlay_folder}/overlay_${address}.elf)
  add_custom_command(
    OUTPUT ${elf} ${elf}.bin
    COMMAND ${MODELVAULT_RISCV_GXX} -march=rv32imac -mabi=ilp32 -nostdlib -static -Wl,--gc-sections
            -Wl,--fatal-warnings -Wl,--no-warn-rwx-segments -Wl,-Map=${elf}.map -Wl,--defsym=_link_address=${address}
            -T ${crypto_folder}/overlay/overlay.ld ${overlay_objects} -lgcc -o ${elf}
    COMMAND ${MODELVAULT_RISCV_OBJCOPY} -O binary ${elf} ${elf}.bin
    DEPENDS ${overlay_objects} ${crypto_folder}/overlay/overlay.ld
    VERBATIM)
  list(APPEND overlay_links ${elf}.bin)
endforeach()
list(GET overlay_links 0 overlay_link)
add_custom_command(
  OUTPUT ${overlay}
  COMMAND ${CMAKE_COMMAND} -E compare_files ${overlay_links}
  COMMAND ${CMAKE_COMMAND} -E copy ${overlay_link} ${overlay}
  DEPENDS ${overlay_links}
  COMMENT "RV32 cryptographic overlay, the same at two places"
  VERBATIM)

set(overlay_image_object ${overlay_folder}/overlay_image.o)
add_custom_command(
  OUTPUT ${overlay_image_object}
  COMMAND ${MODELVAULT_RISCV_GCC} -march=rv32imac ${riscv_flags} "-DCRYPTO_OVERLAY=\"${overlay}\"" -c
          ${crypto_folder}/overlay_image.S -o ${overlay_image_object}
  DEPENDS ${overlay} ${crypto_folder}/overlay_image.S
  VERBATIM)
set(crypto_objects ${board_crypto_object} ${overlay_image_object})
