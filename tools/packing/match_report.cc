#include "tools/packing/match_report.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "tools/formats/readable_text.h"
#include "tools/packing/rename_guess.h"

namespace modelvault {
namespace {

constexpr size_t kShownKinds = 6;
constexpr size_t kShownIgnores = 5;
constexpr size_t kShownVariants = 3;
constexpr size_t kShownGroups = 5;

std::string Escaped(absl::string_view text) { return absl::Utf8SafeCEscape(text); }

std::string Shape(const std::vector<uint64_t>& shape) { return absl::StrCat("[", absl::StrJoin(shape, ", "), "]"); }

// The name with every number in it written as '*': what tensors of many layers have in common.
std::string PatternOf(absl::string_view name) {
  std::string pattern;
  for (const char c : name) {
    const bool digit = absl::ascii_isdigit(static_cast<unsigned char>(c));
    if (!digit) pattern += c;
    if (digit && !absl::EndsWith(pattern, "*")) pattern += '*';
  }
  return pattern;
}

// Tensors told apart by pattern, type and shape, in the order of their first ones.
class Kinds {
 public:
  // `text` tells what stands behind the name.
  void Add(absl::string_view name, const std::string& text) {
    const auto [place, fresh] = place_.emplace(std::make_pair(PatternOf(name), text), kinds_.size());
    if (fresh) kinds_.push_back({std::string(name), text, 0});
    ++kinds_[place->second].count;
    ++count_;
  }
  size_t count() const { return count_; }

  std::string Text() const {
    std::string text;
    for (size_t i = 0; i < std::min(kShownKinds, kinds_.size()); ++i) {
      const Kind& kind = kinds_[i];
      absl::StrAppend(&text, i == 0 ? "" : ", ", "'", Escaped(kind.count == 1 ? kind.name : PatternOf(kind.name)), "' ",
                      kind.text);
      if (kind.count > 1) absl::StrAppend(&text, " (", kind.count, " tensors)");
    }
    if (kinds_.size() > kShownKinds)
      absl::StrAppend(&text, " and ", Counted(kinds_.size() - kShownKinds, "kind"), " more");
    return text;
  }

 private:
  struct Kind {
    std::string name;
    std::string text;
    size_t count = 0;
  };
  std::vector<Kind> kinds_;
  std::map<std::pair<std::string, std::string>, size_t> place_;
  size_t count_ = 0;
};

std::string TypeAndShape(const ModelTensor& t) { return absl::StrCat(Escaped(t.type_name()), " ", Shape(t.shape)); }

bool GrewByRows(const ModelTensor& base, const ModelTensor& variant) {
  return base.shape.size() == variant.shape.size() && !base.shape.empty() && variant.shape[0] > base.shape[0] &&
         std::equal(base.shape.begin() + 1, base.shape.end(), variant.shape.begin() + 1);
}

// A line for each way in which the variant differs.
std::vector<std::string> Differences(absl::Span<const ModelTensor> base, const Mismatch& m) {
  Kinds extra, missing, rank, shape;
  for (const size_t v : m.pairs.extra) extra.Add(m.tensors[v].name, TypeAndShape(m.tensors[v]));
  for (const size_t b : m.pairs.missing) missing.Add(base[b].name, TypeAndShape(base[b]));
  for (const TensorPairs::Pair& pair : m.pairs.reshaped) {
    const ModelTensor& t = m.tensors[pair.variant];
    const ModelTensor& b = base[pair.base];
    Kinds& kinds = t.shape.size() != b.shape.size() ? rank : shape;
    kinds.Add(t.name, absl::StrCat(TypeAndShape(t), ", in the base ", Shape(b.shape)));
  }
  std::vector<std::string> lines;
  const auto add = [&](const Kinds& kinds, const char* what) {
    if (kinds.count() > 0) lines.push_back(absl::StrFormat("%d %s: %s", kinds.count(), what, kinds.Text()));
  };
  add(extra, "not in the base");
  add(missing, "of the base are missing");
  add(shape, "of another shape");
  add(rank, "of another rank");
  return lines;
}

// What a parametrization, weight norm as a rule, leaves in place of a weight.
bool IsParametrized(const ModelTensor& tensor) {
  return absl::StrContains(tensor.name, "parametrizations.") || absl::EndsWith(tensor.name, "weight_g") ||
         absl::EndsWith(tensor.name, "weight_v");
}

// How weight norm keeps the variant from its base; empty if it does not.
std::string WeightNormCause(absl::Span<const ModelTensor> base, const Mismatch& m) {
  const auto extra =
      std::any_of(m.pairs.extra.begin(), m.pairs.extra.end(), [&](size_t v) { return IsParametrized(m.tensors[v]); });
  const auto missing =
      std::any_of(m.pairs.missing.begin(), m.pairs.missing.end(), [&](size_t b) { return IsParametrized(base[b]); });
  if (extra == missing) return "";
  return absl::StrCat("weight norm, which keeps a weight as two tensors, is on in ", extra ? "it" : "the base",
                      " and off in ", extra ? "the base" : "it",
                      ": take it off and save that model again, in PyTorch with "
                      "torch.nn.utils.parametrize.remove_parametrizations(module, 'weight') or, of the old form, "
                      "torch.nn.utils.remove_weight_norm(module)");
}

// A command that makes one file of a model's shards, of which `path` is one.
std::string JoinCommand(absl::string_view path) {
  const size_t of = path.rfind("-of-");
  const absl::string_view prefix = path.substr(0, path.find_last_not_of("0123456789", of - 1) + 1);
  const bool plain = std::all_of(path.begin(), path.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::string_view("._-/").find(c) != absl::string_view::npos;
  });
  const std::string shards = plain ? absl::StrCat(prefix, "*", path.substr(of)) : "SHARDS*";
  return absl::StrCat(
      "python3 -c \"from glob import glob; from safetensors.torch import load_file, save_file; "
      "save_file({n: t for f in glob('",
      shards, "') for n, t in load_file(f).items()}, 'joined.safetensors')\"");
}

std::string ShardCause(absl::string_view what, absl::string_view path) {
  return absl::StrCat(what, " is one shard of a model: join all shards into one file first\n    ", JoinCommand(path));
}

// What the cause seems to be; empty if nothing is known.
std::string Cause(absl::string_view base_path, absl::Span<const ModelTensor> base, const Mismatch& m,
                  const RenameGuess& guess) {
  const auto all_extra = [&](const std::function<bool(const ModelTensor&)>& is) {
    return !m.pairs.extra.empty() &&
           std::all_of(m.pairs.extra.begin(), m.pairs.extra.end(), [&](size_t v) { return is(m.tensors[v]); });
  };
  if (IsShardName(base_path)) return ShardCause("the base", base_path);
  if (IsShardName(m.path)) return ShardCause("this", m.path);
  if (const std::string cause = WeightNormCause(base, m); !cause.empty()) return cause;
  if (all_extra([](const ModelTensor& t) { return absl::StrContains(t.name, "lora_"); })) {
    return "this is an adapter, not a whole model: merge it into its base first";
  }
  for (const NameRule& rule : guess.rules.renames) {
    if (absl::StrContains(rule.from, "_orig_mod."))
      return "it was saved from a compiled model, which prefixes all names";
    if (absl::StrContains(rule.from, "module."))
      return "it was saved from a wrapper for several devices, which prefixes names";
    if (absl::StrContains(rule.from, "original") || absl::StrContains(rule.from, "weight_")) {
      return "weight norm was saved by another release, which has other names for its two parts";
    }
  }
  if (guess.found > 0) return "the tensors have other names than in the base";
  const auto grew = [&](const TensorPairs::Pair& p) { return GrewByRows(base[p.base], m.tensors[p.variant]); };
  if (!m.pairs.reshaped.empty() && std::all_of(m.pairs.reshaped.begin(), m.pairs.reshaped.end(), grew)) {
    const TensorPairs::Pair& first = m.pairs.reshaped.front();
    return absl::StrCat("rows were added (", m.tensors[first.variant].shape[0] - base[first.base].shape[0],
                        "), as by a larger vocabulary");
  }
  if (all_extra([&](const ModelTensor& t) { return TiedTo(base, t).has_value(); })) {
    return "a head that is tied to the embedding in the base is stored on its own here";
  }
  if (m.pairs.extra.empty() && m.pairs.missing.size() == 1 &&
      TiedTo(m.tensors, base[m.pairs.missing.front()]).has_value()) {
    return "its head is tied to the embedding and not stored, in the base it is";
  }
  if (2 * m.pairs.matched() < base.size()) return "wrong base?";
  return "";
}

std::string Options(const NameRules& rules) {
  std::string text;
  for (const NameRule& rule : rules.renames) absl::StrAppend(&text, " --rename ", FormatNameRule(rule));
  return text;
}

// The names of variants that have the same trouble.
std::string NamesOf(const std::vector<const Mismatch*>& group) {
  std::string text;
  for (size_t i = 0; i < std::min(kShownVariants, group.size()); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", Escaped(group[i]->path));
  }
  if (group.size() > kShownVariants) absl::StrAppend(&text, " and ", group.size() - kShownVariants, " more");
  return text;
}

}  // namespace

bool IsShardName(absl::string_view path) {
  const auto is_digit = [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); };
  const absl::string_view name = path.substr(path.rfind('/') + 1);
  const size_t of = name.rfind("-of-");
  if (of == absl::string_view::npos || of == 0 || !is_digit(name[of - 1])) return false;
  const absl::string_view count = name.substr(of + 4);
  const size_t digits = static_cast<size_t>(std::find_if_not(count.begin(), count.end(), is_digit) - count.begin());
  uint64_t shards = 0;
  if (!absl::SimpleAtoi(count.substr(0, digits), &shards) || shards < 2) return false;
  return digits == count.size() || count[digits] == '.';
}

std::string DescribeMismatches(absl::string_view heading, absl::string_view base_path,
                               absl::Span<const ModelTensor> base, absl::Span<const Mismatch> mismatches,
                               const NameRules& rules) {
  std::vector<std::pair<std::vector<std::string>, std::vector<const Mismatch*>>> groups;
  for (const Mismatch& m : mismatches) {
    // What shards lack says nothing: they are one group, without differences.
    std::vector<std::string> lines = IsShardName(m.path) ? std::vector<std::string>() : Differences(base, m);
    const auto same = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == lines; });
    if (same != groups.end()) {
      same->second.push_back(&m);
    } else {
      groups.push_back({std::move(lines), {&m}});
    }
  }
  std::string text(heading);
  for (size_t i = 0; i < std::min(kShownGroups, groups.size()); ++i) {
    const auto& [lines, group] = groups[i];
    const Mismatch& m = *group.front();
    // Of a part of a model, or of other parts of its weights, no renaming makes the model.
    const bool partial = IsShardName(base_path) || IsShardName(m.path) || !WeightNormCause(base, m).empty();
    const RenameGuess guess = partial ? RenameGuess{rules, 0, m.pairs} : GuessRenames(base, m.tensors, rules);
    absl::StrAppend(&text, "\n", NamesOf(group));
    if (!lines.empty())
      absl::StrAppend(&text, ": ", m.pairs.matched(), " of ", Counted(m.tensors.size(), "tensor"), " match");
    for (const std::string& line : lines) absl::StrAppend(&text, "\n  ", line);
    const std::string cause = Cause(base_path, base, m, guess);
    if (!cause.empty()) absl::StrAppend(&text, "\n  ", cause);
    if (guess.found > 0) {
      absl::StrAppend(&text, "\n  ", guess.pairs.matched(), " of ", Counted(m.tensors.size(), "tensor"), " match with",
                      Options(guess.rules));
    }
  }
  if (groups.size() > kShownGroups)
    absl::StrAppend(&text, "\nand ", Counted(groups.size() - kShownGroups, "kind"), " of trouble more");
  return text;
}

std::string MismatchHeading(size_t mismatches, size_t variants, absl::string_view base_path, size_t base_tensors) {
  return absl::StrCat(mismatches, " of ", Counted(variants, "variant"), mismatches == 1 ? " does" : " do",
                      " not match the base ", base_path, ", which has ", Counted(base_tensors, "tensor"));
}

std::string IgnoreOptions(absl::string_view base_path, absl::Span<const ModelTensor> base,
                          absl::Span<const Mismatch> mismatches, const NameRules& rules) {
  const auto is_plain = [](const std::string& name) {
    return std::all_of(name.begin(), name.end(), [](char c) {
      return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-';
    });
  };
  std::set<std::string> names;
  for (const Mismatch& m : mismatches) {
    if (IsShardName(base_path) || IsShardName(m.path) || !m.pairs.reshaped.empty()) return "";
    if (!WeightNormCause(base, m).empty()) return "";
    if (!IsOfBase(base, m.tensors, m.pairs) || GuessRenames(base, m.tensors, rules).found > 0) return "";
    for (const size_t v : m.pairs.extra) names.insert(m.tensors[v].name);
    for (const size_t b : m.pairs.missing) names.insert(base[b].name);
  }
  if (names.size() > kShownIgnores || !std::all_of(names.begin(), names.end(), is_plain)) return "";
  std::string options;
  for (const std::string& name : names) absl::StrAppend(&options, " --ignore ", name);
  return options;
}

}  // namespace modelvault
