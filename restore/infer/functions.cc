#include "restore/infer/functions.h"

#include "restore/infer/fixed_point.h"

namespace modelvault {
const uint16_t kExp2[kExp2Intervals + 1] = {
    32768, 32062, 31364, 30673, 29989, 29313, 28645, 27983, 27329, 26681, 26041, 25408, 24781,
    24161, 23548, 22941, 22341, 21747, 21160, 20579, 20005, 19436, 18874, 18317, 17767, 17223,
    16684, 16152, 15625, 15103, 14588, 14078, 13573, 13074, 12580, 12091, 11608, 11130, 10657,
    10190, 9727,  9269,  8816,  8368,  7925,  7487,  7053,  6624,  6200,  5780,  5365,  4954,
    4548,  4146,  3748,  3355,  2966,  2581,  2200,  1823,  1451,  1082,  718,   357,   0,
};

namespace {

constexpr size_t kIntervals = 64;

// sin(i / 64 · π / 2) · 2^15.
constexpr uint16_t kSine[kIntervals + 1] = {
    0,     804,   1608,  2411,  3212,  4011,  4808,  5602,  6393,  7180,  7962,  8740,  9512,
    10279, 11039, 11793, 12540, 13279, 14010, 14733, 15447, 16151, 16846, 17531, 18205, 18868,
    19520, 20160, 20788, 21403, 22006, 22595, 23170, 23732, 24279, 24812, 25330, 25833, 26320,
    26791, 27246, 27684, 28106, 28511, 28899, 29269, 29622, 29957, 30274, 30572, 30853, 31114,
    31357, 31581, 31786, 31972, 32138, 32286, 32413, 32522, 32610, 32679, 32729, 32758, 32768,
};

// Times 2^30.
int32_t Sine(uint32_t phase) {
  const uint32_t in_quarter = (phase & (1u << 30)) != 0 ? (1u << 31) - (phase & 0x7FFFFFFF) : phase & 0x3FFFFFFF;
  const uint32_t i = in_quarter >> 24;
  // At the quarter's very end there is no interval.
  const int32_t left = kSine[i];
  const int32_t slope = i == kIntervals ? 0 : kSine[i + 1] - left;
  const int32_t sine = (left << 15) + slope * static_cast<int32_t>((in_quarter >> 9) & 0x7FFF);
  return (phase >> 31) != 0 ? -sine : sine;
}

}  // namespace

SineCosine FindSineCosine(uint32_t phase) { return {Sine(phase), Sine(phase + (1u << 30))}; }

uint32_t InverseSquareRoot(uint32_t a) {
  // 2.3 - 1.35·a/2^32 is within a sixth of it.
  uint32_t y = 2469606195u - MulHighUnsigned(a, 1449551462u);
  if (y > 0x7FFFFFFF) y = 0x7FFFFFFF;
  for (int i = 0; i < 5; ++i) {
    const uint32_t square = MulHighUnsigned(y, y);             // Times 2^28.
    const uint32_t product = MulHighUnsigned(square << 2, a);  // a·y² times 2^30: about 2^30.
    const uint32_t factor = (3u << 30) - product;              // Times 2^30: about 2^31.
    y = MulHighUnsigned(y, factor);                            // Half of the product times 2^29 …
    y = y >= 1u << 30 ? 0x7FFFFFFF : y << 1;
  }
  return y < 1u << 30 ? 1u << 30 : y;
}

}  // namespace modelvault
