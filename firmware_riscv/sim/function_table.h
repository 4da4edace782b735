// The functions of a program, by address.
#ifndef MODELVAULT_FIRMWARE_RISCV_SIM_FUNCTION_TABLE_H_
#define MODELVAULT_FIRMWARE_RISCV_SIM_FUNCTION_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace modelvault::sim {

class FunctionTable {
 public:
  // A table of function 0 alone, which stands for everything unknown.
  FunctionTable();

  // Reads lines "ADDRESS SIZE NAME" (hexadecimal; the name is the rest of the line). Those of size 0 (labels of
  // assembly code) reach to the next symbol. False if the file cannot be read or a line is not like that.
  bool Load(const std::string& path);

  // The function whose bytes include `address`, or 0.
  size_t Find(uint32_t address) const;

  size_t count() const { return entries_.size(); }
  const std::string& name(size_t function) const { return entries_[function].name; }

 private:
  struct Entry {
    uint32_t address;
    uint32_t size;
    std::string name;
  };
  std::vector<Entry> entries_;  // From the second on sorted by address.
};

}  // namespace modelvault::sim

#endif  // MODELVAULT_FIRMWARE_RISCV_SIM_FUNCTION_TABLE_H_
