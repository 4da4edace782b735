#include "restore/c_api/handles.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "vault/format.h"
#include "vault/hex_text.h"
#include "vault/near_name.h"

namespace modelvault {

DigestTexts::DigestTexts(const ModelDigests& digests)
    : xxh3_128(HexText(digests.xxh3)), xxh64(absl::StrCat(absl::Hex(digests.xxh64, absl::kZeroPad16))) {}

OpenedVault::OpenedVault(NamedVault vault, std::optional<ProvenRevocations> revoked)
    : named(std::move(vault)), revocations(std::move(revoked)) {
  digests.reserve(base_position() + 1);
  for (const VaultVariant& variant : named.vault().variants()) digests.emplace_back(variant.digests);
  const VaultReader& reader = named.vault();
  digests.emplace_back(reader.base_digests());
  if (reader.root() != nullptr) vault_id = HexText({reader.root()->vault_id().data, reader.root()->vault_id().size});
  if (reader.key_set_digest().has_value()) key_set = HexText(*reader.key_set_digest());
}

absl::StatusOr<mv_signature_info> OpenedVault::SignatureInfo() const {
  const SignedRoot* const root = named.vault().root();
  if (root == nullptr) return absl::NotFoundError(absl::StrCat(path(), ": has no signature"));
  mv_signature_info info = {};
  info.struct_size = sizeof(info);
  info.is_trusted = key_set.empty() ? 0 : 1;
  info.version = root->version;
  info.not_before = root->not_before;
  info.not_after = root->not_after;
  info.vault_id = vault_id.c_str();
  info.key_set = key_set.c_str();
  info.revocations = revocations.has_value() ? revocations->number() : 0;
  return info;
}

absl::Status OpenedVault::CheckNotRevoked(absl::string_view variant) const {
  return revocations.has_value() ? revocations->Check(named.vault(), variant) : absl::OkStatus();
}

mv_model_info OpenedVault::InfoOf(size_t position) const {
  const VaultReader& reader = named.vault();
  const bool is_base = position == base_position();
  mv_model_info info = {};
  info.struct_size = sizeof(info);
  info.is_base = is_base ? 1 : 0;
  info.name = is_base ? kReservedVariantName : reader.variants()[position].name.c_str();
  info.stored_size = is_base ? reader.BytesBySection().base : reader.variants()[position].stored_size;
  info.xxh3_128 = digests[position].xxh3_128.c_str();
  info.xxh64 = digests[position].xxh64.c_str();
  return info;
}

OpenedModel::OpenedModel(NamedModel named, absl::string_view path) : named_(std::move(named)), path_(path) {
  type_names_.reserve(tensors().size());
  for (const ModelTensor& tensor : tensors()) {
    by_name_.emplace(tensor.name, type_names_.size());
    type_names_.push_back(tensor.type_name());
  }
}

mv_tensor_info OpenedModel::InfoOf(size_t tensor) const {
  const ModelTensor& t = tensors()[tensor];
  mv_tensor_info info = {};
  info.struct_size = sizeof(info);
  info.dtype = static_cast<mv_dtype>(t.dtype);
  info.name = t.name.c_str();
  info.type_name = type_names_[tensor].c_str();
  info.shape = t.shape.empty() ? nullptr : t.shape.data();
  info.rank = static_cast<uint32_t>(t.shape.size());
  info.element_bits = t.element_bits();
  info.offset = t.begin;
  info.size = t.size();
  return info;
}

absl::StatusOr<size_t> OpenedModel::Find(absl::string_view tensor) const {
  const auto found = by_name_.find(std::string(tensor));
  if (found != by_name_.end()) return found->second;
  std::vector<std::string> names;
  names.reserve(tensors().size());
  for (const ModelTensor& t : tensors()) names.push_back(t.name);
  return absl::NotFoundError(absl::StrCat(path_, ": '", named_.model->name(), "' has no tensor '",
                                          absl::Utf8SafeCHexEscape(tensor), "'", NearestNameHint(tensor, names)));
}

absl::string_view OpenedModel::TensorAt(uint64_t data_offset) const {
  // Of tensors that begin there, the last is the one that is not empty.
  const auto after = std::upper_bound(tensors().begin(), tensors().end(), data_offset,
                                      [](uint64_t offset, const ModelTensor& t) { return offset < t.begin; });
  if (after == tensors().begin() || data_offset >= std::prev(after)->end) return "";
  return std::prev(after)->name;
}

}  // namespace modelvault

absl::StatusOr<const modelvault::OpenedModel*> mv_model::Open() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (opened_ == nullptr) {
    absl::StatusOr<modelvault::NamedModel> named = vault->named.OpenModel(name());
    if (!named.ok()) return named.status();
    opened_ = std::make_unique<const modelvault::OpenedModel>(*std::move(named), vault->path());
  }
  return opened_.get();
}
