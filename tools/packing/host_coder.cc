#include "tools/packing/host_coder.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace modelvault {

absl::StatusOr<HostUnit> HostUnitIn(absl::string_view bytes) {
  HostUnit unit;
  if (bytes.size() < unit.leaf.size()) return absl::InternalError("a coded chunk or segment is malformed");
  unit.stored = bytes.substr(0, bytes.size() - unit.leaf.size());
  std::memcpy(unit.leaf.data(), bytes.data() + unit.stored.size(), unit.leaf.size());
  return unit;
}

HostCoder::HostCoder(std::function<std::unique_ptr<DataSource>()> base)
    : rooms_([base = std::move(base)] {
        auto room = std::make_unique<Room>();
        room->base = base();
        return room;
      }) {}

absl::StatusOr<std::string> HostCoder::Code(const VariantLayout& layout, DataSource* variant, uint64_t begin,
                                            uint64_t size) {
  std::unique_ptr<Room> room = rooms_.Take();
  room->data.resize(static_cast<size_t>(size));
  DataSource* const base = room->base.get();
  DataSource* const model = variant != nullptr ? variant : base;
  if (absl::Status read = model->Read(begin, absl::MakeSpan(room->data)); !read.ok()) return read;
  const LeafDigest leaf = DigestLeaf(room->data);
  std::string unit;
  DataSource* const reference = variant != nullptr ? base : nullptr;
  if (absl::Status s = room->encoder.Encode(layout, begin, room->data, reference, &unit); !s.ok()) return s;
  unit.append(reinterpret_cast<const char*>(leaf.data()), leaf.size());
  rooms_.Give(std::move(room));
  return unit;
}

absl::StatusOr<std::string> HostCoder::CodeBase(const VariantLayout& layout, uint64_t begin, uint64_t size) {
  return Code(layout, nullptr, begin, size);
}

absl::StatusOr<std::string> HostCoder::CodeVariant(const VariantLayout& layout, DataSource* variant, uint64_t begin,
                                                   uint64_t size) {
  return Code(layout, variant, begin, size);
}

absl::StatusOr<std::optional<ModelDigests>> HostCoder::DigestsOfBase(DataSource* variant, uint32_t segment_size) {
  std::unique_ptr<Room> room = rooms_.Take();
  ModelDigester digester;
  for (uint64_t begin = 0; begin < variant->size(); begin += segment_size) {
    room->data.resize(static_cast<size_t>(std::min<uint64_t>(segment_size, variant->size() - begin)));
    room->base_data.resize(room->data.size());
    if (absl::Status read = variant->Read(begin, absl::MakeSpan(room->data)); !read.ok()) return read;
    if (absl::Status read = room->base->Read(begin, absl::MakeSpan(room->base_data)); !read.ok()) return read;
    if (room->data != room->base_data) return std::optional<ModelDigests>();
    digester.Update(DigestLeaf(room->data));
  }
  rooms_.Give(std::move(room));
  return std::optional<ModelDigests>(digester.Digests());
}

}  // namespace modelvault
