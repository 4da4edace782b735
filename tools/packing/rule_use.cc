#include "tools/packing/rule_use.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "vault/near_name.h"

namespace modelvault {
namespace {

absl::Status Unused(absl::string_view option, absl::string_view text, absl::string_view what, absl::string_view sought,
                    const std::set<std::string>& names) {
  return absl::NotFoundError(absl::StrCat("--", option, " ", absl::Utf8SafeCHexEscape(text), ": ", what,
                                          NearestPartHint(sought, {names.begin(), names.end()})));
}

}  // namespace

RuleUse::RuleUse(const NameRules* rules, absl::Span<const ModelTensor> base) : rules_(rules) {
  // An empty text stands at the start of any name.
  for (size_t i = 0; i < rules->renames.size(); ++i) {
    if (!rules->renames[i].from.empty()) unused_renames_.insert(i);
  }
  for (size_t i = 0; i < rules->ignore.size(); ++i) unused_ignores_.insert(i);
  for (const ModelTensor& tensor : base) Ignore(tensor.name);
}

void RuleUse::Ignore(const std::string& name) {
  std::erase_if(unused_ignores_, [&](size_t i) { return MatchesPattern(name, rules_->ignore[i]); });
  if (!unused_ignores_.empty()) names_.insert(name);
}

void RuleUse::AddVariant(absl::Span<const ModelTensor> tensors) {
  for (const ModelTensor& tensor : tensors) {
    if (used_up()) return;
    names_.insert(tensor.name);
    Ignore(tensor.name);
    // What a rule is given is what those before it left.
    NameRules before;
    for (size_t i = 0; i < rules_->renames.size(); ++i) {
      if (before.Apply(tensor.name).find(rules_->renames[i].from) != std::string::npos) unused_renames_.erase(i);
      before.renames.push_back(rules_->renames[i]);
    }
  }
}

absl::Status RuleUse::Check() const {
  if (!unused_renames_.empty()) {
    const NameRule& rule = rules_->renames[*unused_renames_.begin()];
    return Unused("rename", FormatNameRule(rule), "no tensor of a variant has that in its name", rule.from, names_);
  }
  if (!unused_ignores_.empty()) {
    const std::string& pattern = rules_->ignore[*unused_ignores_.begin()];
    absl::string_view plain = pattern;
    while (absl::ConsumePrefix(&plain, "*") || absl::ConsumeSuffix(&plain, "*")) continue;
    return Unused("ignore", pattern, "no tensor has such a name", plain, names_);
  }
  return absl::OkStatus();
}

std::string NearestPartHint(absl::string_view text, const std::vector<std::string>& names) {
  const bool dot_before = absl::ConsumePrefix(&text, ".");
  const bool dot_after = absl::ConsumeSuffix(&text, ".");
  const auto count = std::count(text.begin(), text.end(), '.') + 1;
  std::set<std::string> parts;
  for (const std::string& name : names) {
    const std::vector<absl::string_view> pieces = absl::StrSplit(name, '.');
    for (auto first = pieces.begin(); pieces.end() - first >= count; ++first) {
      if (dot_after && pieces.end() - first == count) break;
      if (dot_before && first == pieces.begin()) continue;
      parts.insert(absl::StrCat(dot_before ? "." : "", absl::StrJoin(first, first + count, "."), dot_after ? "." : ""));
    }
  }
  return NearestNameHint(absl::StrCat(dot_before ? "." : "", text, dot_after ? "." : ""), {parts.begin(), parts.end()});
}

}  // namespace modelvault
