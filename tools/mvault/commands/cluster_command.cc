#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/formats/readable_text.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/cli/shell_word.h"
#include "tools/mvault/cli/text_table.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/sample_option.h"
#include "tools/mvault/commands/variant_inputs.h"
#include "tools/mvault/reports/formatting.h"
#include "tools/packing/model_family.h"
#include "vault/variant_name.h"

namespace modelvault {
namespace {

struct Arguments {
  std::string folder;
  std::vector<std::string> without;
  std::optional<uint64_t> sample;
  int threads = 0;
  bool json = false;
};

using Models = std::vector<VariantInput>;

// What packs a family. A file may have a name that no variant can have, such as `base`.
std::vector<std::string> PackCommand(const Models& models, const ModelFamily& family) {
  const VariantInput& base = models[family.base.model];
  std::vector<std::string> words = {"mvault", "pack", "--base", base.path};
  for (const FamilyMember& variant : family.variants) {
    const VariantInput& input = models[variant.model];
    const bool fits = ValidateVariantName(input.name).ok();
    words.push_back("--variant");
    words.push_back(absl::StrCat(fits ? input.name : absl::StrCat("model-", input.name), "=", input.path));
  }
  words.push_back("-o");
  words.push_back(absl::StrCat(base.name, ".mvlt"));
  return words;
}

std::string InShell(const std::vector<std::string>& words) {
  std::string line = "  mvault pack";
  for (size_t w = 2; w < words.size(); ++w) {
    const bool is_option = w % 2 == 0;
    absl::StrAppend(&line, is_option && w > 2 ? " \\\n    " : " ", ShellWord(words[w]));
  }
  return absl::StrCat(line, "\n");
}

Json MemberToJson(const Models& models, const FamilyMember& member, bool is_base) {
  const VariantInput& input = models[member.model];
  return {{"name", input.name},
          {"path", input.path},
          {"alone_bytes", member.alone.bytes},
          {"alone_element_bits", member.alone.element_bits},
          {"variant_bytes", is_base ? Json(nullptr) : Json(member.as_variant.bytes)},
          {"variant_element_bits", is_base ? Json(nullptr) : Json(member.as_variant.element_bits)},
          {"differing_bits", is_base ? Json(nullptr) : Json(member.as_variant.differing_bits)}};
}

uint64_t TotalBytes(const ModelFamilies& found) {
  uint64_t total = 0;
  for (const ModelFamily& family : found.families) total += family.bytes();
  return total;
}

uint64_t TotalApart(const ModelFamilies& found) {
  uint64_t total = 0;
  for (const ModelFamily& family : found.families) total += family.bytes_apart();
  return total;
}

Json ToJson(const Arguments& arguments, const Models& models, const ModelFamilies& found) {
  Json json = {{"folder", arguments.folder},
               {"models", models.size()},
               {"file_bytes", found.file_size},
               {"sampled_bytes", found.sampled_size},
               {"estimated_bytes", TotalBytes(found)},
               {"apart_bytes", TotalApart(found)},
               {"clusters", Json::array()},
               {"alone", Json::array()}};
  for (const ModelFamily& family : found.families) {
    const Json base = MemberToJson(models, family.base, true);
    if (family.variants.empty()) {
      json["alone"].push_back(base);
      continue;
    }
    Json variants = Json::array();
    for (const FamilyMember& variant : family.variants) variants.push_back(MemberToJson(models, variant, false));
    json["clusters"].push_back({{"base", base},
                                {"variants", variants},
                                {"estimated_bytes", family.bytes()},
                                {"apart_bytes", family.bytes_apart()},
                                {"command", PackCommand(models, family)}});
  }
  return json;
}

std::string ClusterToText(const Models& models, const ModelFamily& family, size_t number) {
  TextTable table({"model", ">bits differ", ">bits an element", ">alone", ">bytes alone", ">as variant"});
  const auto row = [&](const FamilyMember& member, bool is_base) {
    const std::string name = Printable(models[member.model].name);
    const auto bits = [](double n) { return absl::StrFormat("%.3f", n); };
    const VariantEstimate& variant = member.as_variant;
    table.AddRow({is_base ? absl::StrCat(name, " (base)") : name, is_base ? "" : Percent(variant.differing_bits),
                  is_base ? "" : bits(variant.element_bits), bits(member.alone.element_bits),
                  Grouped(member.alone.bytes), is_base ? "" : Grouped(variant.bytes)});
  };
  row(family.base, true);
  for (const FamilyMember& variant : family.variants) row(variant, false);
  return absl::StrFormat("cluster %d: base %s and %s: about %s bytes, apart %s\n\n%s\n%s\n", number,
                         Printable(models[family.base.model].name), Counted(family.variants.size(), "variant"),
                         Grouped(family.bytes()), Grouped(family.bytes_apart()), table.Format(),
                         InShell(PackCommand(models, family)));
}

std::string ToText(const Arguments& arguments, const Models& models, const ModelFamilies& found) {
  std::string text =
      absl::StrFormat("%s: %s, %s bytes; %s of them read\n\n", Printable(arguments.folder),
                      Counted(models.size(), "model"), Grouped(found.file_size), Grouped(found.sampled_size));
  TextTable alone({"on its own", ">bits an element", ">bytes"});
  size_t clusters = 0;
  for (const ModelFamily& family : found.families) {
    if (family.variants.empty()) {
      alone.AddRow({Printable(models[family.base.model].name), absl::StrFormat("%.3f", family.base.alone.element_bits),
                    Grouped(family.base.alone.bytes)});
    } else {
      absl::StrAppend(&text, ClusterToText(models, family, ++clusters));
    }
  }
  if (clusters < found.families.size()) absl::StrAppend(&text, alone.Format(), "\n");
  return absl::StrCat(text, "about ", Grouped(TotalBytes(found)), " bytes of vaults; all models apart would take ",
                      Grouped(TotalApart(found)), "\n");
}

absl::StatusOr<ExitCode> Cluster(Session& session, const Arguments& arguments) {
  const absl::StatusOr<Models> models = FindFolderModels(session.file_system, arguments.folder, arguments.without);
  if (!models.ok()) return models.status();
  FamilyOptions options;
  options.sample_size = arguments.sample.value_or(kDefaultSampleSize);
  options.threads = arguments.threads;
  options.progress = session.console.progress().Function();
  const absl::StatusOr<ModelFamilies> found = FindFamilies(session.file_system, *models, options);
  if (!found.ok()) return WithWayOn(found.status(), *models);
  if (arguments.json) {
    session.console.PrintJson(ToJson(arguments, *models, *found));
  } else {
    session.console.Print(ToText(arguments, *models, *found));
  }
  return ExitCode::kOk;
}

}  // namespace

void AddClusterCommand(Command& app, Session& session) {
  Command command = app.AddCommand("cluster", "Propose which models of a folder share which base");
  auto arguments = std::make_shared<Arguments>();
  command.AddOption("DIR", &arguments->folder, "The folder, whose models are found as by 'pack --variants'").Required();
  command.AddOption("--without", &arguments->without, "A model to leave out; may be given many times")
      .TypeName("NAME")
      .OneValue();
  AddSampleOption(&command, &arguments->sample);
  AddThreadsOption(&command, &arguments->threads);
  AddJsonFlag(&command, &arguments->json);
  SetFooter(
      &command, "  mvault cluster models\n  mvault cluster models --without draft --json\n",
      "Reads a sample of each model, the same places of tensors of the same shape, and estimates what each would\n"
      "take alone and as a variant of each other; nothing is written.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return Cluster(session, *arguments); }; });
}

}  // namespace modelvault
