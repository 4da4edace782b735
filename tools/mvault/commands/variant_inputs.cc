#include "tools/mvault/commands/variant_inputs.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "tools/formats/model_folder.h"
#include "tools/formats/model_formats.h"
#include "vault/near_name.h"
#include "vault/variant_name.h"

namespace modelvault {
namespace {

bool IsPair(const std::string& text) {
  const size_t equals = text.find('=');
  return equals != std::string::npos && equals + 1 < text.size();
}

absl::Status AddFolder(FileSystem& file_system, const VariantArguments& arguments, std::vector<VariantInput>* inputs) {
  const absl::StatusOr<std::vector<ModelInFolder>> models =
      FindModels(file_system, arguments.folder, arguments.without);
  if (!models.ok()) return models.status();
  for (const ModelInFolder& model : *models) inputs->push_back({model.name, model.path});
  if (!models->empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(arguments.folder, ": no ", KnownModelFormats().Extensions(), " in it, and no folder with one"));
}

// Sorts them by name and removes those in `without`; see FindVariants.
absl::Status SortAndLeaveOut(const std::vector<std::string>& without, std::vector<VariantInput>* inputs) {
  std::sort(inputs->begin(), inputs->end(),
            [](const VariantInput& a, const VariantInput& b) { return a.name < b.name; });
  const auto twice = std::adjacent_find(inputs->begin(), inputs->end(),
                                        [](const VariantInput& a, const VariantInput& b) { return a.name == b.name; });
  if (twice != inputs->end()) {
    return absl::AlreadyExistsError(
        absl::StrCat("variant '", twice->name, "' is given twice: ", twice->path, " and ", (twice + 1)->path));
  }
  for (const std::string& name : without) {
    const auto found =
        std::find_if(inputs->begin(), inputs->end(), [&](const VariantInput& input) { return input.name == name; });
    if (found == inputs->end()) {
      std::vector<std::string> names;
      for (const VariantInput& input : *inputs) names.push_back(input.name);
      return absl::NotFoundError(
          absl::StrCat("--without ", name, ": no such variant is given", NearestNameHint(name, names)));
    }
    inputs->erase(found);
  }
  return absl::OkStatus();
}

}  // namespace

void AddVariantOptions(Command* command, VariantArguments* arguments) {
  command
      ->AddOption("--variants", &arguments->folder,
                  "Folder: every model in it is a variant, a file of a known format's extension, named by its stem, or "
                  "a folder that holds one model")
      .TypeName("DIR");
  command->AddOption("--variant", &arguments->pairs, "One variant: its name and its file; may be given many times")
      .TypeName("NAME=FILE")
      .OneValue()
      .Check([](const std::string& text) { return IsPair(text) ? "" : "'" + text + "' is not NAME=FILE"; });
  command->AddOption("--without", &arguments->without, "A variant of those to leave out; may be given many times")
      .TypeName("NAME")
      .OneValue();
}

absl::Status WithWayOn(const absl::Status& status, const std::vector<VariantInput>& variants) {
  // Anything else, such as no more open files, is no fault of the variant and may come again without it.
  const bool is_its_own = absl::IsInvalidArgument(status) || absl::IsDataLoss(status) || absl::IsNotFound(status);
  if (!is_its_own || variants.size() < 2) return status;
  const auto about = [&](const VariantInput& v) {
    absl::string_view rest = status.message();
    // A file, or one in the variant's folder.
    return absl::ConsumePrefix(&rest, v.path) && (absl::StartsWith(rest, ": ") || absl::StartsWith(rest, "/"));
  };
  const auto found = std::find_if(variants.begin(), variants.end(), about);
  if (found == variants.end()) return status;
  return absl::Status(status.code(), absl::StrCat(status.message(), "; to go on without it: --without ", found->name));
}

void AddNameRuleOptions(Command* command, NameRuleArguments* arguments) {
  command
      ->AddOption(
          "--rename", &arguments->renames,
          "Text in a variant's tensor names, and what stands there in the base's; for matching only; may be given "
          "many times")
      .TypeName("FROM=TO")
      .OneValue()
      .Check([](const std::string& text) { return std::string(ParseNameRule(text).status().message()); });
  command
      ->AddOption(
          "--ignore", &arguments->ignore,
          "Names of tensors ('*': any text) that are matched with nothing: those of variants are stored on their own; "
          "may be given many times")
      .TypeName("PATTERN")
      .OneValue();
}

absl::StatusOr<NameRules> FindNameRules(const NameRuleArguments& arguments) {
  NameRules rules;
  rules.ignore = arguments.ignore;
  for (const std::string& text : arguments.renames) {
    absl::StatusOr<NameRule> rule = ParseNameRule(text);
    if (!rule.ok()) return rule.status();
    rules.renames.push_back(*std::move(rule));
  }
  return rules;
}

absl::StatusOr<PackOptions> FindPackOptions(const NameRuleArguments& names, std::optional<uint64_t> budget, int threads,
                                            ProgressFunction progress) {
  absl::StatusOr<NameRules> rules = FindNameRules(names);
  if (!rules.ok()) return rules.status();
  PackOptions options;
  options.budget = budget;
  options.threads = threads;
  options.names = *std::move(rules);
  options.progress = std::move(progress);
  return options;
}

absl::StatusOr<std::vector<VariantInput>> FindFolderModels(FileSystem& file_system, const std::string& folder,
                                                           const std::vector<std::string>& without) {
  VariantArguments arguments;
  arguments.folder = folder;
  arguments.without = without;
  std::vector<VariantInput> inputs;
  absl::Status status = AddFolder(file_system, arguments, &inputs);
  if (status.ok()) status = SortAndLeaveOut(without, &inputs);
  if (!status.ok()) return status;
  return inputs;
}

absl::StatusOr<std::vector<VariantInput>> FindVariants(FileSystem& file_system, const VariantArguments& arguments) {
  std::vector<VariantInput> inputs;
  if (!arguments.folder.empty()) {
    if (absl::Status status = AddFolder(file_system, arguments, &inputs); !status.ok()) return status;
  }
  for (const std::string& pair : arguments.pairs) {
    const size_t equals = pair.find('=');
    if (!IsPair(pair)) {
      return absl::InvalidArgumentError(absl::StrCat("--variant '", pair, "': expected NAME=FILE"));
    }
    inputs.push_back({pair.substr(0, equals), pair.substr(equals + 1)});
  }
  for (const VariantInput& input : inputs) {
    if (absl::Status status = ValidateVariantName(input.name); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(input.path, ": ", status.message()));
    }
  }
  if (absl::Status status = SortAndLeaveOut(arguments.without, &inputs); !status.ok()) return status;
  return inputs;
}

}  // namespace modelvault
