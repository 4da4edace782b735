#ifndef MODELVAULT_TOOLS_DEMO_NUMBER_TEXT_H_
#define MODELVAULT_TOOLS_DEMO_NUMBER_TEXT_H_

#include <stdint.h>

#include <string>

namespace modelvault::demo {

// 1234567 as "1,234,567".
std::string Grouped(uint64_t value);

// 0.918 as "91.8 %".
std::string Percent(double share);

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_NUMBER_TEXT_H_
