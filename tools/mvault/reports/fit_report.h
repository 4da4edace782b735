// What a fit cost, as text, JSON and a page.
#ifndef MODELVAULT_TOOLS_MVAULT_REPORTS_FIT_REPORT_H_
#define MODELVAULT_TOOLS_MVAULT_REPORTS_FIT_REPORT_H_

#include <string>

#include "nlohmann/json.hpp"
#include "proto/fit_report.pb.h"
#include "tools/fitting/fit_input.h"
#include "tools/fitting/fit_run.h"
#include "tools/mvault/cli/console.h"

namespace modelvault {

proto::FitReport MakeFitReport(const std::string& vault, const FitInput& input, const FitRunOptions& options,
                               const FitRun& run);

// For people: the sums, and a line a variant.
std::string FitToText(const proto::FitReport& report);

// The message's fields by their names.
Json FitToJson(const proto::FitReport& report);

// A page that needs nothing else: the sums, plots, tables.
std::string FitToHtml(const proto::FitReport& report);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_REPORTS_FIT_REPORT_H_
