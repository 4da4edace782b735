#include "tests/tools/mvault/board/fake_board.h"

#include <filesystem>

namespace modelvault {

const char kFakeCounts[] = R"json({"wait": 12, "cut": false, "flash_stores": 0, "phases": [
  {"phase": 0, "instructions": 5000, "cycles": 7000, "executing": 7000, "data_wait": 0, "fetch_wait": 0,
   "flash_reads": 0, "flash_read_bytes": 0,
   "flash_accesses": 0, "flash_fetches": 0, "ram_reads": 100, "ram_writes": 50, "ram_fetches": 1000,
   "multiplications": 10, "divisions": 1, "branches": 20, "begun": 1, "functions": []},
  {"phase": 1, "instructions": 900, "cycles": 1500, "executing": 1000, "data_wait": 200, "fetch_wait": 300,
   "flash_reads": 20, "flash_read_bytes": 80,
   "flash_accesses": 20, "flash_fetches": 0, "ram_reads": 100, "ram_writes": 50, "ram_fetches": 1000,
   "multiplications": 10, "divisions": 1, "branches": 20, "begun": 1, "functions": []},
  {"phase": 2, "instructions": 15000, "cycles": 25100, "executing": 20000, "data_wait": 5000, "fetch_wait": 100,
   "flash_reads": 400, "flash_read_bytes": 1600,
   "flash_accesses": 400, "flash_fetches": 0, "ram_reads": 100, "ram_writes": 50, "ram_fetches": 1000,
   "multiplications": 10, "divisions": 1, "branches": 20, "begun": 1, "functions": [
    {"name": "modelvault::(anonymous namespace)::Slow(unsigned int)", "instructions": 14000, "cycles": 24000,
     "executing": 19000, "data_wait": 5000, "fetch_wait": 0, "flash_reads": 400, "flash_read_bytes": 1600,
   "flash_accesses": 400, "flash_fetches": 0, "ram_reads": 100, "ram_writes": 50, "ram_fetches": 1000,
   "multiplications": 10, "divisions": 1, "branches": 20},
    {"name": "main", "instructions": 1000, "cycles": 1100, "executing": 1000, "data_wait": 0, "fetch_wait": 100,
     "flash_reads": 0, "flash_read_bytes": 0,
   "flash_accesses": 0, "flash_fetches": 0, "ram_reads": 100, "ram_writes": 50, "ram_fetches": 1000,
   "multiplications": 10, "divisions": 1, "branches": 20}]},
  {"phase": 3, "instructions": 3500, "cycles": 4000, "executing": 4000, "data_wait": 0, "fetch_wait": 0,
   "flash_reads": 0, "flash_read_bytes": 0,
   "flash_accesses": 0, "flash_fetches": 0, "ram_reads": 100, "ram_writes": 50, "ram_fetches": 1000,
   "multiplications": 10, "divisions": 1, "branches": 20, "begun": 1, "functions": []},
  {"phase": 4, "instructions": 15100, "cycles": 25200, "executing": 20100, "data_wait": 5000, "fetch_wait": 100,
   "flash_reads": 400, "flash_read_bytes": 1600,
   "flash_accesses": 400, "flash_fetches": 0, "ram_reads": 100, "ram_writes": 50, "ram_fetches": 1000,
   "multiplications": 10, "divisions": 1, "branches": 20, "begun": 1, "functions": []},
  {"phase": 5, "instructions": 3500, "cycles": 4000, "executing": 4000, "data_wait": 0, "fetch_wait": 0,
   "flash_reads": 0, "flash_read_bytes": 0,
   "flash_accesses": 0, "flash_fetches": 0, "ram_reads": 100, "ram_writes": 50, "ram_fetches": 1000,
   "multiplications": 10, "divisions": 1, "branches": 20, "begun": 1, "functions": []},
  {"phase": 7, "instructions": 50, "cycles": 100, "executing": 60, "data_wait": 0, "fetch_wait": 40,
   "flash_reads": 0, "flash_read_bytes": 0,
   "flash_accesses": 0, "flash_fetches": 0, "ram_reads": 100, "ram_writes": 50, "ram_fetches": 1000,
   "multiplications": 10, "divisions": 1, "branches": 20, "begun": 1, "functions": []},
  {"phase": 8, "instructions": 50, "cycles": 100, "executing": 60, "data_wait": 0, "fetch_wait": 40,
   "flash_reads": 0, "flash_read_bytes": 0,
   "flash_accesses": 0, "flash_fetches": 0, "ram_reads": 100, "ram_writes": 50, "ram_fetches": 1000,
   "multiplications": 10, "divisions": 1, "branches": 20, "begun": 1, "functions": []}]}
)json";

const char kFakeBehaviour[] = R"(
echo "hello from the board"
echo "measure status=ok bytes=1234 xxh64=$hash expected=$hash tile=4096 static_ram=20000 ram_code=6000 stack=700 name=$name"
exit 0
)";

FakeBoard::FakeBoard(const std::map<std::string, std::string>& hashes) {
  std::string list;
  for (const auto& [name, hash] : hashes) list += name + " " + hash + "\n";
  folder_.Write("hashes", list);
  folder_.Write("counts", kFakeCounts);
  folder_.Write("modelvault_board.bin", "firmware");
  folder_.Write("modelvault_cycles.so", "plugin");
  // The strap's name lies behind its 16 bytes of head at 0x40000.
  folder_.Write("emulator", R"(#!/bin/bash
here=$(dirname "$0")
if [ "$1" = --version ]; then cat "$here/version"; exit; fi
for argument; do
  case "$argument" in
    *unit=0,*) code=${argument##*file=} ;;
    *,out=*) out=${argument#*,out=}; out=${out%%,*} ;;
  esac
done
name=$(dd if="$code" bs=1 skip=262160 count=240 2>/dev/null | tr -d '\0')
name=${name:-base}
hash=$(sed -n "s/^$name //p" "$here/hashes")
[ -z "$out" ] || cp "$here/counts" "$out"
. "$here/behaviour"
)");
  std::filesystem::permissions(folder_.File("emulator"), std::filesystem::perms::owner_all);
  SetBehaviour(kFakeBehaviour);
}

void FakeBoard::SetVersion(const std::string& text) const { folder_.Write("version", text); }

void FakeBoard::SetBehaviour(const std::string& commands) const { folder_.Write("behaviour", commands); }

std::vector<std::string> FakeBoard::Options(bool with_plugin) const {
  std::vector<std::string> options = {"--emulator", folder_.File("emulator"), "--firmware",
                                      folder_.File("modelvault_board.bin")};
  if (with_plugin) options.insert(options.end(), {"--plugin", folder_.File("modelvault_cycles.so")});
  return options;
}

}  // namespace modelvault
