#include "vault/manifest.h"

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
#include "vault/deterministic_bytes.h"
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

// One frame that continues `dictionary`, which may be empty. Equal texts give equal frames.
absl::StatusOr<std::string> Compress(absl::string_view text, absl::string_view dictionary) {
  const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  if (context == nullptr) return absl::UnavailableError("out of memory");
  std::string frame(ZSTD_compressBound(text.size()), '\0');
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kZstdLevel);
  ZSTD_CCtx_refPrefix(context.get(), dictionary.data(), dictionary.size());
  const size_t size = ZSTD_compress2(context.get(), frame.data(), frame.size(), text.data(), text.size());
  if (ZSTD_getErrorCode(size) == ZSTD_error_memory_allocation) return absl::UnavailableError("out of memory");
  if (ZSTD_isError(size)) return absl::InternalError(absl::StrCat("zstd: ", ZSTD_getErrorName(size)));
  frame.resize(size);
  return frame;
}

// The way back, for `what`, whose text has at most `limit` bytes.
absl::StatusOr<std::string> Decompress(absl::string_view what, absl::string_view frame, absl::string_view dictionary,
                                       uint64_t limit) {
  const size_t frame_size = ZSTD_findFrameCompressedSize(frame.data(), frame.size());
  if (ZSTD_isError(frame_size) || frame_size != frame.size()) {
    return absl::DataLossError(absl::StrCat(what, " is not one zstd frame"));
  }
  // Both ways of not knowing the size are huge numbers. A skippable frame claims no bytes at all.
  const uint64_t size = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (size > limit) {
    return absl::DataLossError(absl::StrCat(what, " of ", frame.size(), " bytes claims to expand to ", size,
                                            ", at most ", limit, " are allowed"));
  }
  const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  if (context == nullptr) return absl::UnavailableError("out of memory");
  std::string text(static_cast<size_t>(size), '\0');
  ZSTD_DCtx_refPrefix(context.get(), dictionary.data(), dictionary.size());
  const size_t text_size = ZSTD_decompressDCtx(context.get(), text.data(), text.size(), frame.data(), frame.size());
  if (ZSTD_getErrorCode(text_size) == ZSTD_error_memory_allocation) return absl::UnavailableError("out of memory");
  if (ZSTD_isError(text_size)) {
    return absl::DataLossError(absl::StrCat(what, ": zstd: ", ZSTD_getErrorName(text_size)));
  }
  if (text_size != size) return absl::DataLossError(absl::StrCat(what, " does not parse"));
  return text;
}

// Beside the base's header one that is nearly the same takes next to nothing.
uint64_t SealedLimit(uint64_t stored_size, absl::string_view base) {
  return std::min(ExpansionLimit(stored_size) + 2 * base.size(), kMaxMessageSize);
}

void Fill(const HeaderDifference& difference, VariantHeader* header) {
  header->set_reference(difference.reference);
  header->set_prefix_size(difference.prefix_size);
  header->set_middle(difference.middle);
  header->set_suffix_size(difference.suffix_size);
  header->set_xxh3(difference.xxh3);
}

absl::Status TakeLog(Manifest* manifest, StoredLog* log) {
  for (std::string& entry : *manifest->mutable_log()) log->entries.push_back(std::move(entry));
  const std::string& digest = manifest->log_digest();
  if (digest.size() != (log->entries.empty() ? 0 : log->digest.size())) {
    return absl::DataLossError(absl::StrCat("MANIFEST: its log of ", log->entries.size(), " entries has a digest of ",
                                            digest.size(), " bytes"));
  }
  std::copy(digest.begin(), digest.end(), log->digest.begin());
  const absl::StatusOr<std::vector<LogEntry>> entries = DecodeLog(*log);
  return entries.ok() ? absl::OkStatus() : absl::DataLossError(absl::StrCat("MANIFEST: ", entries.status().message()));
}

HeaderDifference Take(VariantHeader* header) {
  return {.reference = header->reference(),
          .prefix_size = header->prefix_size(),
          .middle = std::move(*header->mutable_middle()),
          .suffix_size = header->suffix_size(),
          .xxh3 = header->xxh3(),
          .sealed = std::move(*header->mutable_sealed())};
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
    if (!difference.sealed.empty()) continue;  // Nobody else's header may tell of it.
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

absl::StatusOr<std::string> EncodeSealedHeader(const OpenedHeader& opened, absl::string_view base) {
  SealedHeader header;
  header.set_name(opened.name);
  absl::StatusOr<std::string> frame = Compress(opened.header, base);
  if (!frame.ok()) return frame.status();
  if (opened.header.size() > SealedLimit(frame->size(), base)) {
    return absl::ResourceExhaustedError(absl::StrCat("the file header compresses from ", opened.header.size(), " to ",
                                                     frame->size(), " bytes: readers refuse that"));
  }
  header.set_header(*std::move(frame));
  header.set_xxh64(opened.digests.xxh64);
  header.set_xxh3_128(opened.digests.xxh3.data(), opened.digests.xxh3.size());
  header.set_xxh3(XXH3_64bits(opened.header.data(), opened.header.size()));
  // A field of its own: its number, its size, and at least a byte.
  const size_t size = header.ByteSizeLong() + 2;
  header.set_padding(std::string(kSealedHeaderStep - size % kSealedHeaderStep, '\0'));
  return DeterministicBytes(header);
}

absl::StatusOr<OpenedHeader> DecodeSealedHeader(absl::string_view bytes, absl::string_view base) {
  SealedHeader header;
  OpenedHeader opened;
  if (bytes.size() > kMaxMessageSize || !header.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) ||
      header.xxh3_128().size() != opened.digests.xxh3.size()) {
    return absl::DataLossError("a sealed file header does not parse");
  }
  opened.name = header.name();
  opened.digests.xxh64 = header.xxh64();
  std::copy(header.xxh3_128().begin(), header.xxh3_128().end(), opened.digests.xxh3.begin());
  absl::StatusOr<std::string> text =
      Decompress("a sealed file header", header.header(), base, SealedLimit(header.header().size(), base));
  if (!text.ok()) return text.status();
  opened.header = *std::move(text);
  if (absl::Status status = CheckHash(opened.header, header.xxh3()); !status.ok()) return status;
  return opened;
}

absl::StatusOr<std::string> EncodeManifest(const FileHeaders& headers) {
  Manifest manifest;
  manifest.mutable_base()->set_header(headers.base);
  manifest.mutable_base()->set_xxh3(XXH3_64bits(headers.base.data(), headers.base.size()));
  for (const HeaderDifference& difference : headers.variants) {
    VariantHeader* const variant = manifest.add_variants();
    if (difference.sealed.empty()) {
      Fill(difference, variant);
    } else {
      variant->set_sealed(difference.sealed);
    }
  }
  for (const std::string& entry : headers.log.entries) manifest.add_log(entry);
  if (!headers.log.entries.empty()) {
    manifest.set_log_digest(headers.log.digest.data(), headers.log.digest.size());
  }
  const uint64_t size = manifest.ByteSizeLong();
  if (size > kMaxMessageSize) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the file headers take ", size, " bytes, at most ", kMaxMessageSize, " are allowed"));
  }
  const std::string raw = DeterministicBytes(manifest);

  absl::StatusOr<std::string> stored = Compress(raw, "");
  if (!stored.ok()) return stored;
  if (raw.size() > ExpansionLimit(stored->size())) {
    return absl::ResourceExhaustedError(absl::StrCat("the file headers compress from ", raw.size(), " to ",
                                                     stored->size(), " bytes, more than ", kMaxManifestRatio,
                                                     " times: readers refuse that"));
  }
  return stored;
}

absl::StatusOr<FileHeaders> DecodeManifest(absl::Span<const uint8_t> stored) {
  const absl::StatusOr<std::string> raw = Decompress(
      "MANIFEST", {reinterpret_cast<const char*>(stored.data()), stored.size()}, "", ExpansionLimit(stored.size()));
  if (!raw.ok()) return raw.status();
  Manifest manifest;
  if (!manifest.ParseFromArray(raw->data(), static_cast<int>(raw->size()))) {
    return absl::DataLossError("MANIFEST does not parse");
  }

  FileHeaders headers;
  headers.base = std::move(*manifest.mutable_base()->mutable_header());
  if (absl::Status status = CheckHash(headers.base, manifest.base().xxh3()); !status.ok()) return status;
  headers.variants.reserve(static_cast<size_t>(manifest.variants_size()));
  for (VariantHeader& variant : *manifest.mutable_variants()) {
    HeaderDifference difference = Take(&variant);
    const uint64_t reference = difference.reference;
    const auto is_plain = [&](const HeaderDifference& other) { return other.reference == 0 && other.sealed.empty(); };
    if (reference > headers.variants.size() ||
        (reference != 0 && !is_plain(headers.variants[static_cast<size_t>(reference - 1)]))) {
      return absl::DataLossError(absl::StrCat("MANIFEST: file header ", headers.variants.size() + 1, " refers to ",
                                              reference, ", which is not an earlier one that refers to the base's"));
    }
    if (!difference.sealed.empty() && difference != HeaderDifference{.sealed = difference.sealed}) {
      return absl::DataLossError(
          absl::StrCat("MANIFEST: file header ", headers.variants.size() + 1, " is sealed, and has open fields"));
    }
    headers.variants.push_back(std::move(difference));
  }
  if (absl::Status status = TakeLog(&manifest, &headers.log); !status.ok()) return status;
  return headers;
}

}  // namespace modelvault
