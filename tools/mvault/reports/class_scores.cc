#include "tools/mvault/reports/class_scores.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/mvault/cli/text_table.h"

namespace modelvault {

std::vector<ClassScore> RankClasses(const NetworkScores& scores) {
  std::vector<ClassScore> classes;
  for (size_t i = 0; i < scores.count; ++i) classes.push_back({i, std::ldexp(scores.values[i], scores.exponent)});
  std::stable_sort(classes.begin(), classes.end(),
                   [](const ClassScore& a, const ClassScore& b) { return a.score > b.score; });
  return classes;
}

std::string FormatClasses(const std::vector<ClassScore>& classes) {
  constexpr size_t kShown = 5;
  TextTable table({">class", ">score"});
  for (size_t i = 0; i < classes.size() && i < kShown; ++i) {
    table.AddRow({absl::StrCat(classes[i].number), absl::StrFormat("%.4f", classes[i].score)});
  }
  return table.Format();
}

Json ClassesToJson(const std::vector<ClassScore>& classes) {
  Json json = Json::array();
  for (const ClassScore& c : classes) json.push_back({{"class", c.number}, {"score", c.score}});
  return json;
}

}  // namespace modelvault
