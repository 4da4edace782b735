// Numbers and text as people and pages show them.
#ifndef MODELVAULT_TOOLS_FORMATS_READABLE_TEXT_H_
#define MODELVAULT_TOOLS_FORMATS_READABLE_TEXT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace modelvault {

// "1,048,576".
std::string Grouped(uint64_t n);

// "1,048,576 bytes", "1 byte": `one` is the word for one thing, which takes an s for more or none.
std::string Counted(uint64_t n, absl::string_view one);

// 0 where there is nothing to have a part of.
inline double Share(double part, double whole) { return whole > 0 ? part / whole : 0; }
inline double Share(uint64_t part, uint64_t whole) {
  return Share(static_cast<double>(part), static_cast<double>(whole));
}

// 0.918 as "91.8 %".
std::string Percent(double share);

// Text in HTML, between tags and in quoted attributes.
std::string EscapedForHtml(absl::string_view text);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_READABLE_TEXT_H_
