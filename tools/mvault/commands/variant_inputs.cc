#include "tools/mvault/commands/variant_inputs.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tools/formats/model_formats.h"
#include "tools/formats/sharded_safetensors.h"
#include "vault/near_name.h"
#include "vault/variant_name.h"

namespace modelvault {
namespace {

namespace fs = std::filesystem;

bool IsPair(const std::string& text) {
  const size_t equals = text.find('=');
  return equals != std::string::npos && equals + 1 < text.size();
}

absl::Status FolderError(const std::string& folder, const std::error_code& error) {
  const std::string message = absl::StrCat(folder, ": ", error.message());
  if (error == std::errc::no_such_file_or_directory) return absl::NotFoundError(message);
  if (error == std::errc::not_a_directory) return absl::InvalidArgumentError(message);
  return absl::UnavailableError(message);
}

// Whether a folder is a model.
bool HasShardIndex(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) return false;
  fs::directory_iterator entries(folder, error);
  return !error && std::any_of(entries, fs::directory_iterator(), [](const fs::directory_entry& entry) {
    return absl::EndsWith(entry.path().filename().string(), kShardIndexExtension);
  });
}

absl::Status AddFolder(const std::string& folder, std::vector<VariantInput>* inputs) {
  const size_t before = inputs->size();
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const fs::path& path = entries->path();
    // A copy of a folder from another system may bring hidden files that only look like models.
    const std::string name = path.filename().string();
    if (name.front() == '.') continue;
    if (absl::EndsWith(name, kShardIndexExtension)) {
      return absl::InvalidArgumentError(
          absl::StrCat(folder, ": is one model in shards, not a folder of variants: give --variant NAME=", folder));
    }
    if (HasShardIndex(path)) inputs->push_back({name, path.string()});
    if (!KnownModelFormats().HasExtension(name)) continue;
    inputs->push_back({path.stem().string(), path.string()});
  }
  if (error) return FolderError(folder, error);
  if (inputs->size() == before)
    return absl::InvalidArgumentError(absl::StrCat(folder, ": no ", KnownModelFormats().Extensions(), " in it"));
  return absl::OkStatus();
}

}  // namespace

void AddVariantOptions(Command* command, VariantArguments* arguments) {
  command
      ->AddOption("--variants", &arguments->folder,
                  absl::StrCat("Folder: every ", KnownModelFormats().Extensions(),
                               " in it is a variant, named by the file's stem"))
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
    return absl::StartsWith(status.message(), absl::StrCat(v.path, ": "));
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

absl::StatusOr<std::vector<VariantInput>> FindVariants(const VariantArguments& arguments) {
  std::vector<VariantInput> inputs;
  if (!arguments.folder.empty()) {
    if (absl::Status status = AddFolder(arguments.folder, &inputs); !status.ok()) return status;
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
  std::sort(inputs.begin(), inputs.end(), [](const VariantInput& a, const VariantInput& b) { return a.name < b.name; });
  const auto twice = std::adjacent_find(inputs.begin(), inputs.end(),
                                        [](const VariantInput& a, const VariantInput& b) { return a.name == b.name; });
  if (twice != inputs.end()) {
    return absl::AlreadyExistsError(
        absl::StrCat("variant '", twice->name, "' is given twice: ", twice->path, " and ", (twice + 1)->path));
  }
  for (const std::string& name : arguments.without) {
    const auto found =
        std::find_if(inputs.begin(), inputs.end(), [&](const VariantInput& input) { return input.name == name; });
    if (found == inputs.end()) {
      std::vector<std::string> names;
      for (const VariantInput& input : inputs) names.push_back(input.name);
      return absl::NotFoundError(
          absl::StrCat("--without ", name, ": no such variant is given", NearestNameHint(name, names)));
    }
    inputs.erase(found);
  }
  return inputs;
}

}  // namespace modelvault
