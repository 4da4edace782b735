#ifndef MODELVAULT_TOOLS_DEMO_DEPARTMENTS_H_
#define MODELVAULT_TOOLS_DEMO_DEPARTMENTS_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace modelvault::demo {

// 100 hospital departments, distinct, in alphabetical order: lower-case letters and dashes, fit for file names.
absl::Span<const absl::string_view> DepartmentNames();

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_DEPARTMENTS_H_
