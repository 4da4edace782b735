/* The loader in a C firmware, and nothing else: proves the base and every variant of the vault in flash, then goes over
 * each again as an application would, adding up its bytes. Ends the emulator with code 0 if all of them were proven,
 * else with 1. What the loader weighs is told from this program (loader_size.sh). */
#include "firmware_riscv/loader/modelvault_loader.h"

extern const uint8_t _vault_start[], _vault_partition_size[];
extern uint8_t _arena_start[], _arena_end[];
void Exit(int code);
int main(void);
void ReportTrap(uint32_t cause, uint32_t pc, uint32_t value);

static volatile uint32_t* const kFinisher = (volatile uint32_t*)0x00100000;

void Exit(int code) {
  *kFinisher = code == 0 ? 0x5555u : ((uint32_t)code << 16 | 0x3333u);
  for (;;) {
  }
}

void ReportTrap(uint32_t cause, uint32_t pc, uint32_t value) {
  (void)cause;
  (void)pc;
  (void)value;
  Exit(2);
}

static uint32_t Pass(mv_loader* loader, const mv_variant* variant, uint32_t* sum) {
  const uint8_t* tile;
  size_t size = 1;
  uint32_t verdict = MV_REJECTED;
  mv_error error = mv_start(loader, variant, MV_DEFAULT_TILE_SIZE);
  while (error == MV_OK && size > 0) {
    error = mv_next(loader, &tile, &size);
    for (size_t i = 0; i < size; ++i) *sum += tile[i];
  }
  if (error == MV_OK) error = mv_finish(loader, &verdict);
  if (error != MV_OK && mv_diagnose(loader, variant).place == MV_PLACE_UNKNOWN) return MV_REJECTED;
  return verdict;
}

int main(void) {
  const size_t vault_size = (size_t)_vault_partition_size;
  const size_t memory_size = (size_t)(_arena_end - _arena_start);
  size_t needed;
  mv_loader* loader;
  mv_cursor cursor = {0, 0};
  mv_variant variant, found;
  uint32_t sums[2] = {0, 0};
  if (mv_memory_needed(_vault_start, vault_size, MV_DEFAULT_TILE_SIZE, NULL, &needed) != MV_OK || needed > memory_size)
    return 1;
  if (mv_open(_vault_start, vault_size, _arena_start, needed, NULL, &loader, NULL) != MV_OK) return 1;
  mv_base(loader, &variant);
  for (uint32_t i = 0; i <= mv_count(loader); ++i) {
    if (i > 0 && mv_list(loader, &cursor, &variant) != MV_OK) return 1;
    if (i > 0 && mv_find(loader, variant.name, variant.name_size, &found) != MV_OK) return 1;
    for (int pass = 0; pass < 2; ++pass) {
      if (Pass(loader, &variant, &sums[pass]) != MV_VERIFIED) return 1;
    }
  }
  return sums[0] == sums[1] && mv_memory_used(loader) <= needed ? 0 : 1;
}
