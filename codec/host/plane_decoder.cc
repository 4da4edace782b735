#include <algorithm>

#include "codec/host/gap_bytes.h"
#include "codec/host/plane_codec.h"

namespace modelvault {
namespace {

// A plane that is raw, constant or prefix; `coding` has been read.
CoreStatus ReadSimplePlane(PlaneCoding coding, ByteReader* reader, size_t size, PrefixLook* look, uint8_t* memory,
                           const uint8_t** plane) {
  *plane = memory;
  switch (coding) {
    case PlaneCoding::kRaw: {
      ByteView bytes;
      if (!reader->ReadBytes(size, &bytes)) return CoreStatus::kTruncated;
      *plane = bytes.data;
      return CoreStatus::kOk;
    }
    case PlaneCoding::kConstant: {
      uint8_t value;
      if (!reader->ReadU8(&value)) return CoreStatus::kTruncated;
      std::fill_n(memory, size, value);
      return CoreStatus::kOk;
    }
    case PlaneCoding::kPrefix: {
      const CoreStatus status = ReadLengths(reader, &look->lengths);
      if (status != CoreStatus::kOk) return status;
      look->Build(size);
      return ReadStreams(reader, *look, {memory, size});
    }
    default:
      return CoreStatus::kBadMode;
  }
}

CoreStatus ReadCoding(ByteReader* reader, PlaneCoding* coding) {
  uint8_t byte;
  if (!reader->ReadU8(&byte)) return CoreStatus::kTruncated;
  *coding = static_cast<PlaneCoding>(byte);
  return CoreStatus::kOk;
}

CoreStatus ReadExceptions(ByteReader* reader, size_t size, PlaneScratch* scratch, uint8_t* memory) {
  uint8_t common;
  if (!reader->ReadU8(&common)) return CoreStatus::kTruncated;
  size_t count;
  CoreStatus status = ReadGapPlane(reader, size, &scratch->look, &scratch->gaps, &count);
  if (status != CoreStatus::kOk) return status;
  PlaneCoding coding;
  status = ReadCoding(reader, &coding);
  if (status != CoreStatus::kOk) return status;
  const uint8_t* values;
  status = ReadSimplePlane(coding, reader, count, &scratch->look, scratch->values.Get(count), &values);
  if (status != CoreStatus::kOk) return status;
  std::fill_n(memory, size, common);
  const uint32_t* const positions = scratch->gaps.positions.Get(0);
  for (size_t i = 0; i < count; ++i) memory[positions[i]] = values[i];
  return CoreStatus::kOk;
}

}  // namespace

CoreStatus ReadGapPlane(ByteReader* reader, size_t end, PrefixLook* look, GapScratch* scratch, size_t* count) {
  size_t size;
  if (!reader->ReadSize(count) || !reader->ReadSize(&size)) return CoreStatus::kTruncated;
  // Also keeps a few stored bytes from asking for any amount of memory.
  if (*count > end || size > MostGapBytes(*count, end)) return CoreStatus::kBadStream;
  PlaneCoding coding;
  CoreStatus status = ReadCoding(reader, &coding);
  if (status != CoreStatus::kOk) return status;
  const uint8_t* gaps;
  status = ReadSimplePlane(coding, reader, size, look, scratch->bytes.Get(size), &gaps);
  if (status != CoreStatus::kOk) return status;
  const bool ok = ReadGaps({gaps, size}, *count, end, scratch->positions.Get(size));
  return ok ? CoreStatus::kOk : CoreStatus::kBadStream;
}

CoreStatus ReadPlane(ByteReader* reader, size_t size, PlaneScratch* scratch, uint8_t* memory, const uint8_t** plane) {
  PlaneCoding coding;
  const CoreStatus status = ReadCoding(reader, &coding);
  if (status != CoreStatus::kOk) return status;
  *plane = memory;
  if (coding == PlaneCoding::kExceptions) return ReadExceptions(reader, size, scratch, memory);
  return ReadSimplePlane(coding, reader, size, &scratch->look, memory, plane);
}

}  // namespace modelvault
