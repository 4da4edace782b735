#include "bench/peer_sizes.h"

#include <lzma.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "codec/host/element_planes.h"
#include "codec/host/prefix_lengths.h"

namespace modelvault::bench {

uint64_t ZstdSize(absl::Span<const uint8_t> bytes, int level) {
  const std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  std::vector<uint8_t> out(ZSTD_compressBound(bytes.size()));
  const size_t size = ZSTD_compressCCtx(context.get(), out.data(), out.size(), bytes.data(), bytes.size(), level);
  return ZSTD_isError(size) ? 0 : size;
}

uint64_t XzSize(absl::Span<const uint8_t> bytes, uint32_t preset) {
  std::vector<uint8_t> out(lzma_stream_buffer_bound(bytes.size()));
  size_t size = 0;
  const lzma_ret status = lzma_easy_buffer_encode(preset, LZMA_CHECK_CRC64, nullptr, bytes.data(), bytes.size(),
                                                  out.data(), &size, out.size());
  return status == LZMA_OK ? size : 0;
}

uint64_t SplitHuffmanSize(absl::Span<const uint8_t> bytes, size_t element_size, bool is_float) {
  constexpr size_t kBlock = size_t{128} << 10;
  constexpr size_t kStreamSizes = 6;
  uint64_t total = 0;
  std::vector<std::vector<uint8_t>> planes(element_size, std::vector<uint8_t>(kBlock));
  PlaneTargets targets{};
  for (size_t p = 0; p < element_size; ++p) targets[p] = planes[p].data();
  const ElementForm form = is_float ? ElementForm::kFloatValue : ElementForm::kValue;
  for (size_t at = 0; at < bytes.size(); at += kBlock * element_size) {
    const size_t count = std::min(kBlock, (bytes.size() - at) / element_size);
    SplitElements(form, element_size, &bytes[at], nullptr, count, targets);
    for (size_t p = 0; p < element_size; ++p) {
      const ByteCounts counts = CountBytes({targets[p], count});
      uint64_t size = 1;  // All alike.
      if (std::count(counts.begin(), counts.end(), 0u) < 255) {
        size_t last = 255;
        while (counts[last] == 0) --last;
        const uint64_t coded = CodedBits(counts, LengthsFor(counts, 11)) / 8;
        size = std::min<uint64_t>(count, 1 + (last + 1) / 2 + kStreamSizes + coded);
      }
      total += size + 4;  // And how long it is.
    }
  }
  return total;
}

uint64_t XorZstdSize(absl::Span<const uint8_t> bytes, absl::Span<const uint8_t> base, int level) {
  std::vector<uint8_t> difference(bytes.begin(), bytes.end());
  for (size_t i = 0; i < difference.size(); ++i) difference[i] = static_cast<uint8_t>(difference[i] ^ base[i]);
  return ZstdSize(difference, level);
}

}  // namespace modelvault::bench
