#include "firmware_riscv/sim/function_table.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace modelvault::sim {

FunctionTable::FunctionTable() { entries_.push_back({0, 0, "(elsewhere)"}); }

bool FunctionTable::Load(const std::string& path) {
  std::ifstream in(path);
  if (!in) return false;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    Entry entry;
    if (!(words >> std::hex >> entry.address >> entry.size >> std::ws) || !std::getline(words, entry.name))
      return false;
    entries_.push_back(entry);
  }
  // Of several names for one address the last one is found: the one with a size, if any.
  std::stable_sort(entries_.begin() + 1, entries_.end(), [](const Entry& a, const Entry& b) {
    return a.address != b.address ? a.address < b.address : a.size < b.size;
  });
  for (size_t i = 1; i + 1 < entries_.size(); ++i) {
    if (entries_[i].size == 0) entries_[i].size = entries_[i + 1].address - entries_[i].address;
  }
  return in.eof();
}

size_t FunctionTable::Find(uint32_t address) const {
  const auto after = std::upper_bound(entries_.begin() + 1, entries_.end(), address,
                                      [](uint32_t a, const Entry& entry) { return a < entry.address; });
  const size_t i = static_cast<size_t>(after - entries_.begin()) - 1;
  return i > 0 && address - entries_[i].address < entries_[i].size ? i : 0;
}

}  // namespace modelvault::sim
