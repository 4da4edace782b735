#include <algorithm>
#include <numeric>

#include "codec/core/bytes.h"
#include "codec/host/gap_bytes.h"
#include "codec/host/plane_codec.h"
#include "codec/varint.h"

namespace modelvault {
namespace {

constexpr size_t kSampleWorth = size_t{1} << 16;  // Bytes: below, a plane is counted in full.
constexpr size_t kSampleParts = 8;
constexpr size_t kSamplePart = 2048;

// Four sizes of streams of some KiB, and their last bits.
constexpr size_t kStreamsOverhead = 12;

void AppendBytes(absl::Span<const uint8_t> bytes, std::string* out) {
  out->append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void AppendCoding(PlaneCoding coding, std::string* out) { out->push_back(static_cast<char>(coding)); }

size_t UsedBytes(const ByteCounts& counts) {
  return counts.size() - static_cast<size_t>(std::count(counts.begin(), counts.end(), 0u));
}

// Short tables for few symbols: making long ones would take longer than decoding.
unsigned LimitFor(size_t size) { return size < 1024 ? 8 : size < 4096 ? 9 : size < 16384 ? 10 : kHostCodeLength; }

// Raw is faster, and taken where a code saves less than a 64th.
bool WorthCoding(size_t coded_size, size_t size) { return coded_size + size / 64 < size; }

size_t PrefixSize(const ByteCounts& counts, const ByteLengths& lengths) {
  return 1 + StoredLengthsSize(lengths) + kStreamsOverhead + static_cast<size_t>(CodedBits(counts, lengths) / 8);
}

// log2(a / b) in 256ths, by straight lines between the powers of two; a >= b > 0.
uint64_t LogRatio(uint64_t a, uint64_t b) {
  const auto log = [](uint64_t v) {
    const unsigned top = 63 - static_cast<unsigned>(__builtin_clzll(v));
    return (static_cast<uint64_t>(top) << 8) + ((v << 8 >> top) & 0xFF);
  };
  return log(a) - log(b);
}

// Bytes that gaps to `count` of `size` elements take, were they everywhere equally likely.
size_t EstimatedGapSize(size_t count, size_t size) {
  if (count == 0) return 0;
  constexpr uint64_t kSpread = 384;  // A geometric law's log2(e) bits, and what whole bits cost.
  return static_cast<size_t>(count * (LogRatio(size, count) + kSpread) / 256 / 8) + 16;
}

struct Exceptions {
  uint8_t common = 0;
  size_t count = 0;
  size_t estimated_size = SIZE_MAX;
};

// What it would take to code all but the most frequent byte one by one; only where that is most of them.
Exceptions EstimateExceptions(const ByteCounts& counts, size_t size) {
  Exceptions exceptions;
  const auto most = std::max_element(counts.begin(), counts.end());
  exceptions.common = static_cast<uint8_t>(most - counts.begin());
  exceptions.count = size - *most;
  if (exceptions.count > size / 4) return exceptions;
  ByteCounts others = counts;
  others[exceptions.common] = 0;
  const size_t values = UsedBytes(others) < 2 ? 2 : PrefixSize(others, LengthsFor(others, LimitFor(exceptions.count)));
  exceptions.estimated_size = EstimatedGapSize(exceptions.count, size) + std::min(values, exceptions.count + 1) + 4;
  return exceptions;
}

// Raw, constant or prefix: what the planes inside of others may be.
void AppendSimplePlane(absl::Span<const uint8_t> bytes, std::string* out) {
  const ByteCounts counts = CountBytes(bytes);
  if (UsedBytes(counts) == 1) {
    AppendCoding(PlaneCoding::kConstant, out);
    out->push_back(static_cast<char>(bytes[0]));
    return;
  }
  if (!bytes.empty()) {
    const ByteLengths lengths = LengthsFor(counts, LimitFor(bytes.size()));
    if (WorthCoding(PrefixSize(counts, lengths), bytes.size())) {
      AppendCoding(PlaneCoding::kPrefix, out);
      AppendLengths(lengths, out);
      AppendStreams(bytes, lengths, CodedBits(counts, lengths), out);
      return;
    }
  }
  AppendCoding(PlaneCoding::kRaw, out);
  AppendBytes(bytes, out);
}

void AppendExceptions(absl::Span<const uint8_t> bytes, const Exceptions& exceptions, PlaneScratch* scratch,
                      std::string* out) {
  uint32_t* const positions = scratch->gaps.positions.Get(exceptions.count);
  uint8_t* const values = scratch->values.Get(exceptions.count);
  size_t found = 0;
  const auto look_at = [&](size_t i) {
    if (bytes[i] == exceptions.common) return;
    positions[found] = static_cast<uint32_t>(i);
    values[found++] = bytes[i];
  };
  const uint64_t eight_common = exceptions.common * uint64_t{0x0101010101010101};
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    if (LoadLe64(&bytes[i]) == eight_common) continue;
    for (size_t j = i; j < i + 8; ++j) look_at(j);
  }
  for (; i < bytes.size(); ++i) look_at(i);
  AppendCoding(PlaneCoding::kExceptions, out);
  out->push_back(static_cast<char>(exceptions.common));
  AppendGaps({positions, found}, bytes.size(), &scratch->gaps, out);
  AppendSimplePlane({values, found}, out);
}

// Whether some parts of a large plane look as if all of it were better left raw.
bool LooksRandom(absl::Span<const uint8_t> bytes) {
  if (bytes.size() < kSampleWorth) return false;
  ByteCounts counts{};
  for (size_t part = 0; part < kSampleParts; ++part) {
    const ByteCounts more = CountBytes(bytes.subspan(bytes.size() / kSampleParts * part, kSamplePart));
    for (size_t s = 0; s < counts.size(); ++s) counts[s] += more[s];
  }
  if (UsedBytes(counts) < 2) return false;
  constexpr uint64_t kSampleBits = uint64_t{8} * kSampleParts * kSamplePart;
  return CodedBits(counts, LengthsFor(counts, kHostCodeLength)) > kSampleBits - kSampleBits / 64;
}

}  // namespace

void AppendGaps(absl::Span<const uint32_t> positions, size_t end, GapScratch* scratch, std::string* out) {
  uint8_t* const bytes = scratch->bytes.Get(MostGapBytes(positions.size(), end));
  const size_t size = WriteGaps(positions, bytes);
  AppendVarint(out, positions.size());
  AppendVarint(out, size);
  AppendSimplePlane({bytes, size}, out);
}

size_t EstimatedPlaneSize(const ByteCounts& counts, size_t size) {
  if (size == 0) return 1;
  if (UsedBytes(counts) < 2) return 2;
  const size_t prefix = PrefixSize(counts, LengthsFor(counts, LimitFor(size)));
  return std::min({1 + size, prefix, EstimateExceptions(counts, size).estimated_size});
}

void AppendCountedPlane(absl::Span<const uint8_t> bytes, const ByteCounts& counts, PlaneScratch* scratch,
                        std::string* out) {
  if (UsedBytes(counts) >= 2) {
    const ByteLengths lengths = LengthsFor(counts, LimitFor(bytes.size()));
    const size_t prefix = PrefixSize(counts, lengths);
    const Exceptions exceptions = EstimateExceptions(counts, bytes.size());
    if (exceptions.estimated_size < prefix && WorthCoding(exceptions.estimated_size, bytes.size())) {
      return AppendExceptions(bytes, exceptions, scratch, out);
    }
    if (WorthCoding(prefix, bytes.size())) {
      AppendCoding(PlaneCoding::kPrefix, out);
      AppendLengths(lengths, out);
      return AppendStreams(bytes, lengths, CodedBits(counts, lengths), out);
    }
  } else if (!bytes.empty()) {
    AppendCoding(PlaneCoding::kConstant, out);
    out->push_back(static_cast<char>(bytes[0]));
    return;
  }
  AppendCoding(PlaneCoding::kRaw, out);
  AppendBytes(bytes, out);
}

void AppendPlane(absl::Span<const uint8_t> bytes, PlaneScratch* scratch, std::string* out) {
  if (LooksRandom(bytes)) {
    AppendCoding(PlaneCoding::kRaw, out);
    AppendBytes(bytes, out);
    return;
  }
  AppendCountedPlane(bytes, CountBytes(bytes), scratch, out);
}

}  // namespace modelvault
