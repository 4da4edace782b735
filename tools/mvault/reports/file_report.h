// What `mvault info` tells of a model file, and of the quantisation of models.
#ifndef MODELVAULT_TOOLS_MVAULT_REPORTS_FILE_REPORT_H_
#define MODELVAULT_TOOLS_MVAULT_REPORTS_FILE_REPORT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "restore/model_file.h"
#include "restore/named_vault.h"
#include "tools/mvault/reports/formatting.h"

namespace modelvault {

Json FileJson(const ModelFile& file, const std::vector<TensorQuantisation>& quantisation);
std::string FileText(const ModelFile& file, const std::vector<TensorQuantisation>& quantisation);

// A line for each tensor: its axis, scales and zero points, ranges where there are many; "" if there are none.
std::string QuantisationText(const std::vector<TensorQuantisation>& quantisation);
Json QuantisationJson(const std::vector<TensorQuantisation>& quantisation);

// That of a stored model, for which it is restored, if its format is known to say such things and it has at most 256
// MiB; else nothing.
absl::StatusOr<std::vector<TensorQuantisation>> ReadStoredQuantisation(const NamedModel& model);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_REPORTS_FILE_REPORT_H_
