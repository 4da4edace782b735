// What `mvault eval` says: a table, a JSON document, a page.
#ifndef MODELVAULT_TOOLS_MVAULT_REPORTS_EVAL_REPORT_H_
#define MODELVAULT_TOOLS_MVAULT_REPORTS_EVAL_REPORT_H_

#include <optional>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "tools/eval/comparison.h"
#include "tools/mvault/cli/console.h"

namespace modelvault {

struct EvalReport {
  std::string source;                         // The vault or folder.
  std::string model;                          // The file that describes the models.
  std::vector<DepartmentScores> departments;  // At least one.
  std::vector<std::string> missing;           // Departments the model's file lists and the source has not.
  EvalSummary summary;
  std::optional<unsigned> activation_bits;  // Restored variants were scored by the integer engine, with as many.
};

std::string EvalToText(const EvalReport& report);
Json EvalToJson(const EvalReport& report);
// Self-contained HTML.
std::string EvalToHtml(const EvalReport& report);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_REPORTS_EVAL_REPORT_H_
