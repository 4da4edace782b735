#include "vault/manifest.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <xxhash.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/manifest.pb.h"
#include "vault/format.h"

namespace modelvault {
namespace {

constexpr int kZstdLevel = 19;
// zstd finds what short middles have in common for less than a reference takes.
constexpr size_t kSharedHeaderGain = 64;
// Protocol Buffers count bytes in an int.
constexpr uint64_t kMaxMessageSize = std::numeric_limits<int>::max();

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

uint64_t ExpansionLimit(uint64_t stored_size) {
  return std::min(stored_size * kMaxManifestRatio + kMaxManifestExtra, kMaxMessageSize);
}

absl::Status CheckHash(absl::string_view header, uint64_t stored) {
  const uint64_t computed = XXH3_64bits(header.data(), header.size());
  if (computed == stored) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("file header: checksum mismatch, stored 0x",
                                          absl::Hex(stored, absl::kZeroPad16), ", computed 0x",
                                          absl::Hex(computed, absl::kZeroPad16)));
}

}  // namespace

bool DescribesItself(absl::string_view header) {
  return absl::StartsWith(header, {reinterpret_cast<const char*>(kFrameMagic), sizeof(kFrameMagic)});
}

HeaderDifference DiffHeader(absl::string_view base, absl::string_view header) {
  const auto prefix = std::mismatch(base.begin(), base.end(), header.begin(), header.end());
  const size_t prefix_size = static_cast<size_t>(prefix.second - header.begin());
  const absl::string_view base_rest = base.substr(prefix_size);
  const absl::string_view rest = header.substr(prefix_size);
  const auto suffix = std::mismatch(base_rest.rbegin(), base_rest.rend(), rest.rbegin(), rest.rend());
  const size_t suffix_size = static_cast<size_t>(suffix.second - rest.rbegin());
  return {.reference = 0,
          .prefix_size = prefix_size,
          .middle = std::string(rest.substr(0, rest.size() - suffix_size)),
          .suffix_size = suffix_size,
          .xxh3 = XXH3_64bits(header.data(), header.size())};
}

absl::StatusOr<std::string> ApplyHeader(absl::string_view base, const HeaderDifference& difference) {
  if (difference.prefix_size > base.size() || difference.suffix_size > base.size() - difference.prefix_size) {
    return absl::DataLossError(absl::StrCat("file header shares ", difference.prefix_size, " + ",
                                            difference.suffix_size, " bytes with another, which has ", base.size()));
  }
  std::string header = absl::StrCat(base.substr(0, static_cast<size_t>(difference.prefix_size)), difference.middle,
                                    base.substr(static_cast<size_t>(base.size() - difference.suffix_size)));
  if (absl::Status status = CheckHash(header, difference.xxh3); !status.ok()) return status;
  return header;
}

absl::Status ShareHeaders(FileHeaders* headers) {
  std::string anchor;  // The header of the last variant that refers to the base's.
  uint64_t anchor_reference = 0;
  for (size_t i = 0; i < headers->variants.size(); ++i) {
    HeaderDifference& difference = headers->variants[i];
    absl::StatusOr<std::string> header = ApplyHeader(headers->base, difference);
    if (!header.ok()) return header.status();
    if (anchor_reference != 0) {
      HeaderDifference shared = DiffHeader(anchor, *header);
      if (shared.middle.size() + kSharedHeaderGain < difference.middle.size()) {
        shared.reference = anchor_reference;
        difference = std::move(shared);
        continue;
      }
    }
    anchor = *std::move(header);
    anchor_reference = i + 1;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> VariantFileHeader(const FileHeaders& headers, size_t i) {
  const HeaderDifference& difference = headers.variants[i];
  if (difference.reference == 0) return ApplyHeader(headers.base, difference);
  // DecodeManifest has seen to it that this one refers to the base's.
  const absl::StatusOr<std::string> reference =
      ApplyHeader(headers.base, headers.variants[static_cast<size_t>(difference.reference - 1)]);
  if (!reference.ok()) return reference.status();
  return ApplyHeader(*reference, difference);
}

absl::StatusOr<std::string> EncodeManifest(const FileHeaders& headers) {
  Manifest manifest;
  manifest.mutable_base()->set_header(headers.base);
  manifest.mutable_base()->set_xxh3(XXH3_64bits(headers.base.data(), headers.base.size()));
  for (const HeaderDifference& difference : headers.variants) {
    VariantHeader* const variant = manifest.add_variants();
    variant->set_reference(difference.reference);
    variant->set_prefix_size(difference.prefix_size);
    variant->set_middle(difference.middle);
    variant->set_suffix_size(difference.suffix_size);
    variant->set_xxh3(difference.xxh3);
  }
  const uint64_t size = manifest.ByteSizeLong();
  if (size > kMaxMessageSize) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the file headers take ", size, " bytes, at most ", kMaxMessageSize, " are allowed"));
  }
  std::string raw;
  {
    google::protobuf::io::StringOutputStream stream(&raw);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    if (!manifest.SerializeToCodedStream(&out)) return absl::InternalError("cannot serialise the manifest");
  }

  const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  if (context == nullptr) return absl::UnavailableError("out of memory");
  std::string stored(ZSTD_compressBound(raw.size()), '\0');
  const size_t stored_size =
      ZSTD_compressCCtx(context.get(), stored.data(), stored.size(), raw.data(), raw.size(), kZstdLevel);
  if (ZSTD_getErrorCode(stored_size) == ZSTD_error_memory_allocation) return absl::UnavailableError("out of memory");
  if (ZSTD_isError(stored_size)) {
    return absl::InternalError(absl::StrCat("zstd: ", ZSTD_getErrorName(stored_size)));
  }
  stored.resize(stored_size);
  if (raw.size() > ExpansionLimit(stored_size)) {
    return absl::ResourceExhaustedError(absl::StrCat("the file headers compress from ", raw.size(), " to ", stored_size,
                                                     " bytes, more than ", kMaxManifestRatio,
                                                     " times: readers refuse that"));
  }
  return stored;
}

absl::StatusOr<FileHeaders> DecodeManifest(absl::Span<const uint8_t> stored) {
  const size_t frame_size = ZSTD_findFrameCompressedSize(stored.data(), stored.size());
  if (ZSTD_isError(frame_size) || frame_size != stored.size()) {
    return absl::DataLossError("MANIFEST is not one zstd frame");
  }
  // Both ways of not knowing the size are huge numbers. A skippable frame claims no bytes at all.
  const uint64_t size = ZSTD_getFrameContentSize(stored.data(), stored.size());
  if (size > ExpansionLimit(stored.size())) {
    return absl::DataLossError(absl::StrCat("MANIFEST of ", stored.size(), " bytes claims to expand to ", size,
                                            ", at most ", ExpansionLimit(stored.size()), " are allowed"));
  }
  const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  if (context == nullptr) return absl::UnavailableError("out of memory");
  std::string raw(static_cast<size_t>(size), '\0');
  const size_t raw_size = ZSTD_decompressDCtx(context.get(), raw.data(), raw.size(), stored.data(), stored.size());
  if (ZSTD_getErrorCode(raw_size) == ZSTD_error_memory_allocation) return absl::UnavailableError("out of memory");
  if (ZSTD_isError(raw_size)) {
    return absl::DataLossError(absl::StrCat("MANIFEST: zstd: ", ZSTD_getErrorName(raw_size)));
  }
  Manifest manifest;
  if (raw_size != size || !manifest.ParseFromArray(raw.data(), static_cast<int>(raw.size()))) {
    return absl::DataLossError("MANIFEST does not parse");
  }

  FileHeaders headers;
  headers.base = std::move(*manifest.mutable_base()->mutable_header());
  if (absl::Status status = CheckHash(headers.base, manifest.base().xxh3()); !status.ok()) return status;
  headers.variants.reserve(static_cast<size_t>(manifest.variants_size()));
  for (VariantHeader& variant : *manifest.mutable_variants()) {
    const uint64_t reference = variant.reference();
    if (reference > headers.variants.size() ||
        (reference != 0 && headers.variants[static_cast<size_t>(reference - 1)].reference != 0)) {
      return absl::DataLossError(absl::StrCat("MANIFEST: file header ", headers.variants.size() + 1, " refers to ",
                                              reference, ", which is not an earlier one that refers to the base's"));
    }
    headers.variants.push_back({.reference = reference,
                                .prefix_size = variant.prefix_size(),
                                .middle = std::move(*variant.mutable_middle()),
                                .suffix_size = variant.suffix_size(),
                                .xxh3 = variant.xxh3()});
  }
  return headers;
}

}  // namespace modelvault
