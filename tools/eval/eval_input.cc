#include "tools/eval/eval_input.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "codec/core/bytes.h"
#include "nlohmann/json.hpp"
#include "vault/file_kind.h"

namespace modelvault {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kMaxModelFile = uint64_t{16} << 20;
constexpr uint64_t kMaxTokenFile = uint64_t{1} << 32;
constexpr uint64_t kMaxDimension = uint64_t{1} << 20;
constexpr uint64_t kMaxContext = uint64_t{1} << 14;

absl::StatusOr<std::vector<uint8_t>> ReadWhole(FileSystem& file_system, absl::string_view path, uint64_t limit) {
  const absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = file_system.OpenForRead(path);
  if (!file.ok()) return file.status();
  if ((*file)->size() > limit) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", (*file)->size(), " bytes; expected at most ", limit));
  }
  std::vector<uint8_t> bytes(static_cast<size_t>((*file)->size()));
  if (absl::Status status = (*file)->ReadAt(0, absl::MakeSpan(bytes)); !status.ok()) return status;
  return bytes;
}

// Takes what it knows out of the object "config"; remembers the first thing that is wrong.
class ConfigReader {
 public:
  ConfigReader(const Json& config, absl::string_view path) : config_(config), path_(path) {}

  size_t Size(const char* key, uint64_t most = kMaxDimension) {
    const auto found = config_.find(key);
    if (found == config_.end() || !found->is_number_unsigned() || found->get<uint64_t>() == 0 ||
        found->get<uint64_t>() > most) {
      Fail(key, absl::StrCat("a whole number from 1 to ", most));
      return 1;
    }
    return static_cast<size_t>(found->get<uint64_t>());
  }

  double Positive(const char* key, double otherwise) {
    const auto found = config_.find(key);
    if (found == config_.end()) return otherwise;
    if (!found->is_number() || !(found->get<double>() > 0) || !std::isfinite(found->get<double>())) {
      Fail(key, "a positive number");
      return otherwise;
    }
    return found->get<double>();
  }

  void Expect(const char* key, const Json& expected, bool required) {
    const auto found = config_.find(key);
    if (found == config_.end() ? required : *found != expected) Fail(key, expected.dump());
  }

  const absl::Status& status() const { return status_; }

 private:
  void Fail(const char* key, absl::string_view expected) {
    const auto found = config_.find(key);
    status_.Update(absl::InvalidArgumentError(
        absl::StrCat(path_, ": config.", key, ": expected ", expected, ", found ",
                     found == config_.end() ? "nothing" : found->dump(-1, ' ', true, Json::error_handler_t::replace))));
  }

  const Json& config_;
  absl::string_view path_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<EvalModel> ReadEvalModel(FileSystem& file_system, absl::string_view path) {
  const absl::StatusOr<std::vector<uint8_t>> bytes = ReadWhole(file_system, path, kMaxModelFile);
  if (!bytes.ok()) return bytes.status();
  const absl::string_view text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  if (absl::Status status = CheckIsText(text, path); !status.ok()) return status;
  const Json json = Json::parse(bytes->begin(), bytes->end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("config") || !json["config"].is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": expected a JSON object with an object \"config\" in it"));
  }
  EvalModel model;
  ConfigReader reader(json["config"], path);
  TransformerConfig& c = model.config;
  reader.Expect("architecture", "llama", /*required=*/true);
  reader.Expect("rope_pairs", "interleaved", /*required=*/false);
  reader.Expect("tied_embeddings", true, /*required=*/false);
  c.dim = reader.Size("dim");
  c.hidden_dim = reader.Size("hidden_dim");
  c.layers = reader.Size("layers");
  c.heads = reader.Size("heads");
  c.kv_heads = reader.Size("kv_heads");
  c.vocab = reader.Size("vocab");
  c.context = reader.Size("eval_context", kMaxContext);
  c.rope_theta = reader.Positive("rope_theta", c.rope_theta);
  c.norm_eps = reader.Positive("norm_eps", c.norm_eps);
  if (!reader.status().ok()) return reader.status();
  if (absl::Status status = CheckConfig(c); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": config: ", status.message()));
  }
  const auto variants = json.find("variants");
  if (variants == json.end()) return model;
  for (const Json& variant : *variants) {
    if (!variants->is_array() || !variant.is_object() || !variant.contains("name") || !variant["name"].is_string()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": variants: expected a list of objects with a name"));
    }
    model.departments.push_back(variant["name"].get<std::string>());
  }
  return model;
}

absl::StatusOr<std::vector<uint16_t>> ReadTokens(FileSystem& file_system, absl::string_view path,
                                                 const TransformerConfig& config) {
  const absl::StatusOr<std::vector<uint8_t>> bytes = ReadWhole(file_system, path, kMaxTokenFile);
  if (!bytes.ok()) return bytes.status();
  const size_t record_size = 2 * (config.context + 1);
  if (bytes->empty() || bytes->size() % record_size != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", bytes->size(), " bytes; expected a multiple of ", record_size, ": records of ",
                     config.context + 1, " token ids of 2 bytes; it is ",
                     DescribeFileKind(absl::MakeConstSpan(*bytes).first(std::min(bytes->size(), kFileKindSize)))));
  }
  std::vector<uint16_t> tokens(bytes->size() / 2);
  for (size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = LoadLe16(bytes->data() + 2 * i);
    if (tokens[i] >= config.vocab) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": token ", i, " is ", tokens[i], ", the vocabulary has ", config.vocab));
    }
  }
  return tokens;
}

}  // namespace modelvault
