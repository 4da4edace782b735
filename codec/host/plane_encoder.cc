#include <algorithm>

#include "codec/core/bytes.h"
#include "codec/host/gap_bytes.h"
#include "codec/host/plane_codec.h"
#include "codec/host/sample_parts.h"
#include "codec/varint.h"

namespace modelvault {
namespace {

// A plane of at least so many bytes is looked at here and there, first.
constexpr size_t kSampleWorth = size_t{1} << 15;

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
unsigned LimitFor(size_t size) { return size < 1024 ? 8 : size < 4096 ? 9 : size < 32768 ? 10 : kHostCodeLength; }

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

// Of the bytes that are coded one by one, where the most frequent one is left out.
size_t EstimatedExceptionsSize(ByteCounts counts, uint8_t common, size_t exception_count, size_t size) {
  counts[common] = 0;
  size_t values = exception_count;
  if (UsedBytes(counts) < 2) {
    values = 1;
  } else {
    values = std::min(values, PrefixSize(counts, LengthsFor(counts, LimitFor(exception_count))));
  }
  return 5 + EstimatedGapSize(exception_count, size) + values;
}

// The plan for planes inside of others, which have no exceptions.
PlanePlan PlanSimplePlane(const ByteCounts& counts, size_t size) {
  PlanePlan plan;
  plan.estimated_size = 1 + size;
  if (size == 0) return plan;
  if (UsedBytes(counts) < 2) {
    plan.coding = PlaneCoding::kConstant;
    plan.estimated_size = 2;
    return plan;
  }
  plan.lengths = LengthsFor(counts, LimitFor(size));
  const size_t prefix = PrefixSize(counts, plan.lengths);
  if (!WorthCoding(prefix, size)) return plan;
  plan.coding = PlaneCoding::kPrefix;
  plan.estimated_size = prefix;
  return plan;
}

void AppendSimplePlane(absl::Span<const uint8_t> bytes, const PlanePlan& plan, Reusable<uint8_t>* memory,
                       std::string* out) {
  AppendCoding(plan.coding, out);
  if (plan.coding == PlaneCoding::kConstant) {
    AppendBytes(bytes.subspan(0, 1), out);
  } else if (plan.coding == PlaneCoding::kPrefix) {
    AppendLengths(plan.lengths, out);
    AppendStreams(bytes, plan.lengths, memory, out);
  } else {
    AppendBytes(bytes, out);
  }
}

void AppendSimplePlane(absl::Span<const uint8_t> bytes, Reusable<uint8_t>* memory, std::string* out) {
  AppendSimplePlane(bytes, PlanSimplePlane(CountBytes(bytes), bytes.size()), memory, out);
}

// Puts the places and values of all bytes but `common` into the scratch memory, which has space for `most` of them.
// Returns how many there are, or, if these are more, a larger number.
size_t FindExceptions(absl::Span<const uint8_t> bytes, uint8_t common, size_t most, PlaneScratch* scratch) {
  uint32_t* const positions = scratch->gaps.positions.Get(most + 8);
  uint8_t* const values = scratch->values.Get(most + 8);
  size_t found = 0;
  const uint64_t eight_common = common * uint64_t{0x0101010101010101};
  size_t i = 0;
  for (; i + 8 <= bytes.size() && found <= most; i += 8) {
    for (uint64_t differing = LoadLe64(&bytes[i]) ^ eight_common; differing != 0;) {
      const unsigned shift = static_cast<unsigned>(__builtin_ctzll(differing)) & ~7u;
      positions[found] = static_cast<uint32_t>(i + shift / 8);
      values[found++] = bytes[i + shift / 8];
      differing &= ~(uint64_t{0xFF} << shift);
    }
  }
  for (; i < bytes.size() && found <= most; ++i) {
    if (bytes[i] == common) continue;
    positions[found] = static_cast<uint32_t>(i);
    values[found++] = bytes[i];
  }
  return found;
}

// As FindExceptions() left them.
void AppendExceptions(uint8_t common, size_t count, size_t size, PlaneScratch* scratch, std::string* out) {
  AppendCoding(PlaneCoding::kExceptions, out);
  out->push_back(static_cast<char>(common));
  AppendGaps({scratch->gaps.positions.Get(count), count}, size, &scratch->gaps.bytes, &scratch->streams, out);
  AppendSimplePlane({scratch->values.Get(count), count}, &scratch->streams, out);
}

// Some parts of a large plane.
ByteCounts CountSample(absl::Span<const uint8_t> bytes) {
  ByteCounts counts{};
  for (const SamplePart part : SampleParts(bytes.size())) {
    const ByteCounts more = CountBytes(bytes.subspan(part.begin, part.size));
    for (size_t s = 0; s < counts.size(); ++s) counts[s] += more[s];
  }
  return counts;
}

// Whether all of the plane is better left raw.
bool LooksRandom(const ByteCounts& sample, size_t sample_size) {
  if (UsedBytes(sample) < 2) return false;
  const uint64_t bits = uint64_t{8} * sample_size;
  return CodedBits(sample, LengthsFor(sample, kHostCodeLength)) > bits - bits / 64;
}

}  // namespace

void AppendGaps(absl::Span<const uint32_t> positions, size_t end, Reusable<uint8_t>* gap_memory,
                Reusable<uint8_t>* stream_memory, std::string* out) {
  uint8_t* const bytes = gap_memory->Get(MostGapBytes(positions.size(), end));
  const size_t size = WriteGaps(positions, bytes);
  AppendVarint(out, positions.size());
  AppendVarint(out, size);
  AppendSimplePlane({bytes, size}, stream_memory, out);
}

PlanePlan PlanPlane(const ByteCounts& counts, size_t size) {
  PlanePlan plan = PlanSimplePlane(counts, size);
  const auto most = std::max_element(counts.begin(), counts.end());
  if (plan.coding == PlaneCoding::kConstant || *most < size - size / 4) return plan;
  const uint8_t common = static_cast<uint8_t>(most - counts.begin());
  const size_t exceptions = EstimatedExceptionsSize(counts, common, size - *most, size);
  if (exceptions >= plan.estimated_size || !WorthCoding(exceptions, size)) return plan;
  plan.coding = PlaneCoding::kExceptions;
  plan.estimated_size = exceptions;
  plan.common = common;
  plan.exception_count = size - *most;
  return plan;
}

void AppendPlannedPlane(absl::Span<const uint8_t> bytes, const PlanePlan& plan, PlaneScratch* scratch,
                        std::string* out) {
  if (plan.coding == PlaneCoding::kExceptions) {
    FindExceptions(bytes, plan.common, plan.exception_count, scratch);
    AppendExceptions(plan.common, plan.exception_count, bytes.size(), scratch, out);
  } else {
    AppendSimplePlane(bytes, plan, &scratch->streams, out);
  }
}

void AppendPlane(absl::Span<const uint8_t> bytes, PlaneScratch* scratch, std::string* out) {
  if (bytes.size() >= kSampleWorth) {
    const ByteCounts sample = CountSample(bytes);
    const auto most = std::max_element(sample.begin(), sample.end());
    if (*most > kSampleSize - kSampleSize / 16) {
      // Nearly always the same byte: nothing else need be counted.
      const uint8_t common = static_cast<uint8_t>(most - sample.begin());
      const size_t count = FindExceptions(bytes, common, bytes.size() / 8, scratch);
      if (count > 0 && count <= bytes.size() / 8) return AppendExceptions(common, count, bytes.size(), scratch, out);
    } else if (LooksRandom(sample, kSampleSize)) {
      return AppendPlannedPlane(bytes, PlanePlan(), scratch, out);
    }
  }
  AppendPlannedPlane(bytes, PlanPlane(CountBytes(bytes), bytes.size()), scratch, out);
}

}  // namespace modelvault
