#include "tools/formats/model_config.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "nlohmann/json.hpp"
#include "tools/formats/text_file.h"
#include "vault/file_kind.h"

namespace modelvault {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kMaxModelFile = uint64_t{16} << 20;
constexpr uint64_t kMaxDimension = uint64_t{1} << 20;
constexpr uint64_t kMaxContext = uint64_t{1} << 14;
constexpr size_t kMaxWindow = UINT16_MAX;  // Of a NETWORK section, with its sinks.

// Takes what it knows out of the object "config"; remembers the first thing that is wrong.
class ConfigReader {
 public:
  ConfigReader(const Json& config, absl::string_view path) : config_(config), path_(path) {}

  size_t Size(const char* key, uint64_t most = kMaxDimension) {
    const Json* const found = Find(key);
    if (found != nullptr && found->is_number_unsigned() && found->get<uint64_t>() >= 1 &&
        found->get<uint64_t>() <= most) {
      return static_cast<size_t>(found->get<uint64_t>());
    }
    Fail(key, absl::StrCat("a whole number from 1 to ", most));
    return 1;
  }

  // A whole number from `least` to `most`.
  size_t SizeOr(const char* key, size_t otherwise, uint64_t least, uint64_t most) {
    const Json* const found = Find(key);
    if (found == nullptr) return otherwise;
    if (found->is_number_unsigned() && found->get<uint64_t>() >= least && found->get<uint64_t>() <= most) {
      return static_cast<size_t>(found->get<uint64_t>());
    }
    Fail(key, absl::StrCat("a whole number from ", least, " to ", most));
    return otherwise;
  }

  double PositiveOr(const char* key, double otherwise) {
    const Json* const found = Find(key);
    if (found == nullptr) return otherwise;
    if (found->is_number() && found->get<double>() > 0 && std::isfinite(found->get<double>())) {
      return found->get<double>();
    }
    Fail(key, "a positive number");
    return otherwise;
  }

  bool BoolOr(const char* key, bool otherwise) {
    const Json* const found = Find(key);
    if (found == nullptr) return otherwise;
    if (found->is_boolean()) return found->get<bool>();
    Fail(key, "true or false");
    return otherwise;
  }

  // Which of two values; the first where there is none and that may be.
  bool IsFirst(const char* key, const Json& first, const Json& second, bool required = false) {
    const Json* const found = Find(key);
    if (found == nullptr ? !required : *found == first) return true;
    if (found == nullptr || *found != second) Fail(key, absl::StrCat(first.dump(), " or ", second.dump()));
    return false;
  }

  void ExpectWord(const char* key, const char* word) {
    const Json* const found = Find(key);
    if (found != nullptr && *found != word) Fail(key, absl::StrCat("\"", word, "\""));
  }

  std::string StringOr(const char* key, std::string otherwise) {
    const Json* const found = Find(key);
    if (found == nullptr) return otherwise;
    if (found->is_string() && !found->get_ref<const std::string&>().empty()) return found->get<std::string>();
    Fail(key, "a string that is not empty");
    return otherwise;
  }

  std::vector<std::string> Strings(const char* key) {
    const Json* const found = Find(key);
    std::vector<std::string> strings;
    bool good = found != nullptr && found->is_array() && !found->empty();
    for (size_t i = 0; good && i < found->size(); ++i) {
      good = (*found)[i].is_string();
      if (good) strings.push_back((*found)[i].get<std::string>());
    }
    if (!good) Fail(key, "a list of names");
    return strings;
  }

  std::map<std::string, std::string> StringMap(const char* key) {
    const Json* const found = Find(key);
    std::map<std::string, std::string> strings;
    if (found == nullptr) return strings;
    bool good = found->is_object();
    for (auto at = found->begin(); good && at != found->end(); ++at) {
      good = at->is_string();
      if (good) strings[at.key()] = at->get<std::string>();
    }
    if (!good) Fail(key, "an object of names");
    return strings;
  }

  const absl::Status& status() const { return status_; }

 private:
  const Json* Find(const char* key) const {
    const auto found = config_.find(key);
    return found == config_.end() ? nullptr : &*found;
  }

  void Fail(const char* key, absl::string_view expected) {
    const Json* const found = Find(key);
    status_.Update(absl::InvalidArgumentError(
        absl::StrCat(path_, ": config.", key, ": expected ", expected, ", found ",
                     found == nullptr ? "nothing" : found->dump(-1, ' ', true, Json::error_handler_t::replace))));
  }

  const Json& config_;
  absl::string_view path_;
  absl::Status status_;
};

void ReadLlama(ConfigReader* reader, const std::string& path, ModelConfig* c) {
  c->dim = reader->Size("dim");
  c->hidden_dim = reader->Size("hidden_dim");
  c->layers = reader->Size("layers");
  c->heads = reader->Size("heads");
  c->kv_heads = reader->Size("kv_heads");
  c->vocab = reader->Size("vocab");
  c->eval_context = reader->SizeOr("eval_context", 0, 1, kMaxContext);
  c->rope_theta = reader->PositiveOr("rope_theta", c->rope_theta);
  c->norm_eps = reader->PositiveOr("norm_eps", c->norm_eps);
  c->rope_halves = !reader->IsFirst("rope_pairs", "interleaved", "halves");
  c->tied_embeddings = reader->BoolOr("tied_embeddings", true);
  c->window = reader->SizeOr("window", c->window, 1, kMaxWindow);
  const size_t most_sinks = std::min<size_t>(c->window - 1, kMaxWindow - c->window);
  c->sinks = reader->SizeOr("sinks", std::min(c->sinks, most_sinks), 0, most_sinks);
  c->leading_space = reader->BoolOr("leading_space", false);
  const std::string tokenizer = reader->StringOr("tokenizer", "");
  if (!tokenizer.empty()) c->tokenizer = (std::filesystem::path(path).parent_path() / tokenizer).string();
}

}  // namespace

std::string ModelConfig::TensorName(absl::string_view name) const {
  const auto found = names.find(std::string(name));
  return found == names.end() ? std::string(name) : found->second;
}

std::string ModelConfig::TensorName(absl::string_view name, size_t layer) const {
  const auto found = names.find(std::string(name));
  const std::string pattern = found == names.end() ? absl::StrCat("layers.*.", name) : found->second;
  return absl::StrReplaceAll(pattern, {{"*", absl::StrCat(layer)}});
}

absl::StatusOr<ModelConfig> ReadModelConfig(FileSystem& file_system, const std::string& path) {
  const absl::StatusOr<std::string> text = ReadTextFile(file_system, path, kMaxModelFile);
  if (!text.ok()) return text.status();
  if (absl::Status status = CheckIsText(*text, path); !status.ok()) return status;
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("config") || !json["config"].is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": expected a JSON object with an object \"config\" in it"));
  }
  ModelConfig config;
  ConfigReader reader(json["config"], path);
  const bool mlp = !reader.IsFirst("architecture", "llama", "mlp", /*required=*/true);
  if (!reader.status().ok()) return reader.status();
  if (mlp) {
    config.architecture = Architecture::kMlp;
    config.mlp = reader.Strings("layers");
    reader.ExpectWord("activation", "relu");
  } else {
    ReadLlama(&reader, path, &config);
  }
  if (!reader.IsFirst("activation_bits", 8, 4)) config.activation_bits = 4;
  config.names = reader.StringMap("names");
  if (!reader.status().ok()) return reader.status();
  const auto variants = json.find("variants");
  if (variants == json.end()) return config;
  for (const Json& variant : *variants) {
    if (!variants->is_array() || !variant.is_object() || !variant.contains("name") || !variant["name"].is_string()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": variants: expected a list of objects with a name"));
    }
    config.departments.push_back(variant["name"].get<std::string>());
  }
  return config;
}

}  // namespace modelvault
