// Whether rules for names say anything of the names that there are: one that says nothing is a typing error.
#ifndef MODELVAULT_TOOLS_PACKING_RULE_USE_H_
#define MODELVAULT_TOOLS_PACKING_RULE_USE_H_

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "codec/model_tensor.h"
#include "tools/packing/name_rules.h"

namespace modelvault {

class RuleUse {
 public:
  // `rules` must outlive it. A name of the base may be ignored; only those of variants are changed.
  RuleUse(const NameRules* rules, absl::Span<const ModelTensor> base);
  void AddVariant(absl::Span<const ModelTensor> tensors);

  // kNotFound for the first rule that changes or ignores none of these names, with the piece of one that is nearest.
  absl::Status Check() const;

 private:
  bool used_up() const { return unused_renames_.empty() && unused_ignores_.empty(); }
  void Ignore(const std::string& name);

  const NameRules* rules_;
  std::set<size_t> unused_renames_;  // Places in the rules' lists.
  std::set<size_t> unused_ignores_;
  std::set<std::string> names_;  // As long as anything is unused.
};

// The part of one of `names`, of as many pieces between dots as `text` has, that is nearest to it; for the end of a
// message: "; there is 'PART'", or nothing if none is near.
std::string NearestPartHint(absl::string_view text, const std::vector<std::string>& names);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_RULE_USE_H_
