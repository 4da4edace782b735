// Calls into each installed library, so that a header or a link dependency left out of the package is a build error.
#include <cstdio>

#include "codec/core/xxh64.h"
#include "restore/named_vault.h"
#include "tools/formats/model_formats.h"
#include "vault/vault_reader.h"

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  const uint8_t abc[] = {'a', 'b', 'c'};
  // The value of the xxHash specification's own test.
  if (modelvault::Xxh64::Of({abc, sizeof(abc)}) != 0x44BC2CF5AD770999u) return 1;

  // argv[1] names a file that is neither a vault nor a model.
  modelvault::FileSystem& files = modelvault::FileSystem::Default();
  if (modelvault::VaultReader::Open(files, argv[1]).ok()) return 2;
  if (modelvault::NamedVault::Open(files, argv[1], modelvault::KnownModelFormats()).ok()) return 3;
  if (modelvault::OpenModelFile(files, argv[1]).ok()) return 4;
  std::puts("consumer: ok");
  return 0;
}
