// What a model that tells classes says, for people and for programs.
#ifndef MODELVAULT_TOOLS_MVAULT_REPORTS_CLASS_SCORES_H_
#define MODELVAULT_TOOLS_MVAULT_REPORTS_CLASS_SCORES_H_

#include <string>
#include <vector>

#include "restore/infer/engine.h"
#include "tools/mvault/reports/formatting.h"

namespace modelvault {

struct ClassScore {
  size_t number = 0;
  double score = 0;
};

// All classes, the highest score first; of equal ones the lower number.
std::vector<ClassScore> RankClasses(const NetworkScores& scores);

// The first five, a line each.
std::string FormatClasses(const std::vector<ClassScore>& classes);
Json ClassesToJson(const std::vector<ClassScore>& classes);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_REPORTS_CLASS_SCORES_H_
