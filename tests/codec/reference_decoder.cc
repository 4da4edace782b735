#include "tests/codec/reference_decoder.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include "codec/core/prediction.h"

namespace modelvault {
namespace {

// §4.
struct Stream {
  explicit Stream(const std::string& stored) : bytes(stored.begin(), stored.end()) {
    ok = bytes.size() >= 4 && bytes.size() % 2 == 0;
    for (int i = 3; ok && i >= 0; --i) x = x * 256 + bytes[static_cast<size_t>(i)];
  }

  void Remove(uint64_t f, uint64_t s, unsigned n) {
    const uint64_t slot = x % (uint64_t{1} << n);
    x = f * (x >> n) + slot - s;
    if (x >= 65536) return;
    if (at + 2 > bytes.size()) {
      ok = false;
      x = 65536;
      return;
    }
    x = x * 65536 + bytes[at] + 256u * bytes[at + 1];
    at += 2;
  }
  uint64_t Raw(unsigned n) {
    const uint64_t slot = x % (uint64_t{1} << n);
    Remove(1, slot, n);
    return slot;
  }
  bool Ended() const { return ok && x == 65536 && at == bytes.size(); }

  Bytes bytes;
  uint64_t x = 0;
  size_t at = 4;
  bool ok;
};

struct Bit {
  unsigned p = 32768;
  unsigned c = 0;

  bool Decode(Stream* stream) {
    const uint64_t f = std::min(4095u, std::max(1u, p >> 4));
    const bool one = stream->x % 4096 < f;
    if (one) {
      stream->Remove(f, 0, 12);
    } else {
      stream->Remove(4096 - f, f, 12);
    }
    const std::vector<unsigned> rates = {1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4};
    const unsigned r = c < 15 ? rates[c] : c < 31 ? 5 : 6;
    p = one ? p + ((65535 - p) >> r) : p - (p >> r);
    c = std::min(c + 1, 31u);
    return one;
  }
};

struct Gamma {
  std::map<unsigned, Bit> unary;
  std::map<std::pair<unsigned, unsigned>, Bit> top;

  uint64_t Decode(Stream* stream, unsigned maximal) {
    unsigned n = 0;
    while (n < maximal && unary[n].Decode(stream)) ++n;
    if (n == 0) return 0;
    std::vector<bool> bits = {true};
    if (n >= 2) bits.push_back(top[{n, 1}].Decode(stream));
    if (n >= 3) bits.push_back(top[{n, bits[1] ? 3 : 2}].Decode(stream));
    uint64_t v = 0;
    for (bool bit : bits) v = 2 * v + (bit ? 1 : 0);
    unsigned left = n - static_cast<unsigned>(bits.size());
    for (; left % 16 != 0; left -= left % 16) v = (v << (left % 16)) + stream->Raw(left % 16);
    for (; left > 0; left -= 16) v = (v << 16) + stream->Raw(16);
    return v;
  }
};

// §6, "Gaps": the 21 tables.
const std::vector<std::vector<uint64_t>>& GapTables() {
  static const auto* const tables = [] {
    auto* all = new std::vector<std::vector<uint64_t>>;
    for (int table = 0; table < 21; ++table) {
      std::vector<uint64_t> c(33);
      for (int q = 0; q < 32; ++q) {
        c[static_cast<size_t>(q)] =
            static_cast<uint64_t>(std::llround(4096 * -std::expm1(-4 * std::exp2(-table / 4.0) * q)));
      }
      c[32] = 4096;
      for (size_t q = 32; q-- > 0;) c[q] = std::min(c[q], c[q + 1] - 1);
      all->push_back(c);
    }
    return all;
  }();
  return *tables;
}

struct Gap {
  uint64_t passed_over;
  bool negative;
};

std::optional<Gap> DecodeGap(Stream* stream, unsigned level) {
  const unsigned s = level <= 20 ? 0 : static_cast<unsigned>(std::ceil((level - 20) / 4.0));
  const std::vector<uint64_t>& c = GapTables()[level - 4 * s];
  uint64_t gap = 0;
  for (;;) {
    const uint64_t slot = stream->x % 4096;
    size_t q = 0;
    while (c[q + 1] <= slot) ++q;
    stream->Remove(c[q + 1] - c[q], c[q], 12);
    gap += static_cast<uint64_t>(q) << s;
    if (!stream->ok) return std::nullopt;
    if (q != 31) break;
  }
  const uint64_t raw = stream->Raw(s + 1);
  return Gap{gap + raw / 2, raw % 2 == 1};
}

// A tensor of the variant and where its strips begin.
struct Tensor {
  const TensorRecord* base;
  unsigned dtype;
  uint64_t size;
  uint64_t offset;
  Bytes predicted;
  bool has_prediction;
};

struct StripPlace {
  size_t tensor;
  uint64_t row, column, size;
  uint64_t at;  // In the tensor.
};

// Everything that lives as long as a segment.
struct Segment {
  explicit Segment(const std::string& stored) : stream(stored) {}
  Stream stream;
  std::map<std::pair<unsigned, unsigned>, Bit> mode;
  Bit one_scale, same_scale;
  Gamma scale, level;
  std::map<unsigned, Gamma> magnitude;
  std::map<bool, Gamma> residual;
  std::map<unsigned, Bit> plain;
  uint64_t last_scale = 1;
  int64_t level_sum = 0;
  std::map<unsigned, Gap> pending;
};

int64_t Signed(uint64_t v, unsigned bits) {
  const uint64_t top = uint64_t{1} << (bits - 1);
  v &= top | (top - 1);
  return v < top ? static_cast<int64_t>(v) : static_cast<int64_t>(v - top) - static_cast<int64_t>(top - 1) - 1;
}

// One tensor in one segment.
class TensorDecoder {
 public:
  TensorDecoder(const SharedTables& shared, const Tensor& tensor, Segment* segment)
      : shared_(shared), tensor_(tensor), segment_(segment), stream_(&segment->stream) {}

  bool Begin() {
    const bool i8 = tensor_.dtype == 3;
    unsigned node = 1;
    for (int i = 0; i < 3; ++i) node = 2 * node + (segment_->mode[{i8 ? 1 : 0, node}].Decode(stream_) ? 1 : 0);
    mode_ = node - 8;
    const bool on_i8 = i8 && tensor_.base->dtype == DType::kI8;
    if (mode_ > 6 || (!on_i8 && (mode_ == 1 || mode_ == 2 || mode_ == 5))) return false;
    if (mode_ == 0 && !tensor_.has_prediction) return false;
    if (mode_ == 1 || mode_ == 5) {
      const uint64_t zigzag = segment_->level.Decode(stream_, 8);
      segment_->level_sum += zigzag % 2 == 0 ? static_cast<int64_t>(zigzag / 2) : -static_cast<int64_t>(zigzag / 2) - 1;
      t_ = segment_->level_sum + tensor_.base->level;
      if (t_ < 0 || t_ > 63) return false;
    }
    if (mode_ == 6 && ElementSize(static_cast<uint8_t>(tensor_.dtype)) != 1) return false;
    if (mode_ == 3) {
      z_ = static_cast<unsigned>(stream_->Raw(6));
      if (z_ >= 8 * ElementSize(static_cast<uint8_t>(tensor_.dtype))) return false;
    }
    if ((mode_ == 1 || mode_ == 2 || mode_ == 5) && segment_->one_scale.Decode(stream_)) {
      one_scale_ = NextScale();
      if (one_scale_ == 0) return false;
    }
    return stream_->ok;
  }

  bool Decode(const StripPlace& strip, uint8_t* out) {
    switch (mode_) {
      case 0:
        std::copy_n(&tensor_.predicted[strip.at], strip.size, out);
        return true;
      case 1:
      case 5:
        return Gaps(strip, out);
      case 2:
        for (uint64_t i = 0; i < strip.size; ++i) {
          const uint64_t k = Scale(strip.at + i);
          if (k == 0) return false;
          out[i] = Apply(strip.at + i, k, stream_->Raw(1) == 1);
        }
        return stream_->ok;
      case 3:
        return Residuals(strip, out);
      case 6:
        return Plain(strip, out);
      default:
        for (uint64_t i = 0; i < strip.size; ++i) out[i] = static_cast<uint8_t>(stream_->Raw(8));
        return stream_->ok;
    }
  }

 private:
  uint8_t Apply(uint64_t weight, uint64_t k, bool negative) const {
    const int64_t w = Signed(tensor_.predicted[weight], 8) + (negative ? -1 : 1) * static_cast<int64_t>(k);
    return static_cast<uint8_t>(std::clamp<int64_t>(w, -128, 127));
  }

  uint64_t NextScale() {
    if (!segment_->same_scale.Decode(stream_)) segment_->last_scale = segment_->scale.Decode(stream_, 8);
    return segment_->last_scale;
  }

  uint64_t Scale(uint64_t weight) {
    if (one_scale_ != 0) return one_scale_;
    const auto [known, fresh] = scales_.try_emplace(weight / 128, 0);
    if (fresh) known->second = NextScale();
    return known->second;
  }

  bool Gaps(const StripPlace& strip, uint8_t* out) {
    const TensorRecord& t = *tensor_.base;
    const auto step = [](unsigned c) { return c < 15 ? 2 * c : 48; };
    std::vector<uint64_t> order(strip.size);
    std::iota(order.begin(), order.end(), 0);
    const auto column_class = [&](uint64_t i) {
      return mode_ == 1 && (t.flags & kFlagColumnPrior) ? shared_.ColumnClass(t, strip.column + i) : 0;
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](uint64_t a, uint64_t b) { return column_class(a) < column_class(b); });
    for (uint64_t i : order) {
      int64_t l = t_;
      if (mode_ == 1 && (t.flags & kFlagRowPrior)) l += step(shared_.RowClass(t, strip.row));
      l += step(column_class(i));
      const unsigned level = static_cast<unsigned>(std::min<int64_t>(63, l));
      out[i] = tensor_.predicted[strip.at + i];
      if (!Pend(level)) return false;
      Gap& gap = segment_->pending[level];
      if (gap.passed_over > 0) {
        --gap.passed_over;
        continue;
      }
      const uint64_t k = Scale(strip.at + i);
      if (k == 0) {
        const uint64_t m = segment_->magnitude[std::min(level / 2, 15u)].Decode(stream_, 8) + 1;
        const int64_t w = Signed(out[i], 8) + (gap.negative ? -1 : 1) * static_cast<int64_t>(m);
        if (w < -128 || w > 127) return false;
        out[i] = static_cast<uint8_t>(w);
      } else {
        out[i] = Apply(strip.at + i, k, gap.negative);
      }
      segment_->pending.erase(level);
      if (!Pend(level)) return false;
    }
    return stream_->ok;
  }

  bool Pend(unsigned level) {
    if (segment_->pending.count(level) != 0) return true;
    const std::optional<Gap> gap = DecodeGap(stream_, level);
    if (gap.has_value()) segment_->pending[level] = *gap;
    return gap.has_value();
  }

  bool Plain(const StripPlace& strip, uint8_t* out) {
    for (uint64_t i = 0; i < strip.size; ++i) {
      unsigned node = 1;
      for (int bit = 0; bit < 8; ++bit) node = 2 * node + (segment_->plain[node].Decode(stream_) ? 1 : 0);
      out[i] = static_cast<uint8_t>(node - 256);
    }
    return stream_->ok;
  }

  bool Residuals(const StripPlace& strip, uint8_t* out) {
    const unsigned bytes = ElementSize(static_cast<uint8_t>(tensor_.dtype));
    const unsigned width = 8 * bytes;
    const bool is_float = tensor_.dtype >= 10;
    for (uint64_t i = 0; i < strip.size; i += bytes) {
      uint64_t bits = 0;
      for (unsigned j = bytes; j-- > 0;) bits = bits * 256 + tensor_.predicted[strip.at + i + j];
      int64_t b = Signed(bits, width);
      const int64_t mask = static_cast<int64_t>((uint64_t{1} << (width - 1)) - 1);
      if (is_float && b < 0) b ^= mask;
      b >>= z_;
      uint64_t r = segment_->residual[bytes > 1].Decode(stream_, 64);
      if (r != 0 && stream_->Raw(1) == 1) r = 0 - r;
      const int64_t a = Signed(static_cast<uint64_t>(b) + r, width - z_);
      uint64_t element = static_cast<uint64_t>(a) << z_;
      if (is_float && a < 0) element = (element | ((uint64_t{1} << z_) - 1)) ^ static_cast<uint64_t>(mask);
      for (unsigned j = 0; j < bytes; ++j) out[i + j] = static_cast<uint8_t>(element >> (8 * j));
    }
    return stream_->ok;
  }

  const SharedTables& shared_;
  const Tensor& tensor_;
  Segment* segment_;
  Stream* stream_;
  unsigned mode_ = 0;
  int64_t t_ = 0;
  unsigned z_ = 0;
  uint64_t one_scale_ = 0;  // Of the whole tensor.
  std::map<uint64_t, uint64_t> scales_;
};

Tensor Describe(const TestBase& base, const LayoutEntry& entry) {
  const unsigned own_bytes = ElementSize(static_cast<uint8_t>(entry.dtype));
  if (entry.base_index == kNoBaseTensor) {
    static const TensorRecord kNone = {};
    return {&kNone, static_cast<unsigned>(entry.dtype),   entry.elements * own_bytes,
            0,      Bytes(entry.elements * own_bytes, 0), false};
  }
  const TensorRecord& record = base.shared().tensor(entry.base_index);
  Tensor t;
  t.base = &record;
  t.dtype = static_cast<unsigned>(entry.dtype);
  t.offset = 0;
  const unsigned bytes = ElementSize(static_cast<uint8_t>(t.dtype));
  t.size = t.dtype == 0 ? entry.elements : record.rows * record.cols * bytes;
  t.predicted.assign(t.size, 0);
  t.has_prediction = true;
  const absl::Span<const uint8_t> from = base.tensor(entry.base_index);
  const unsigned b = static_cast<unsigned>(record.dtype);
  const auto load = [&](uint64_t i) { return &from[i * record.element_size]; };
  const uint64_t count = t.size / bytes;
  if (b == t.dtype && record.size == t.size) {
    t.predicted.assign(from.begin(), from.end());
  } else if (b == 12 && t.dtype == 10) {
    for (uint64_t i = 0; i < count; ++i) StoreLe16(&t.predicted[2 * i], F32ToF16(LoadLe32(load(i))));
  } else if (b == 12 && t.dtype == 11) {
    for (uint64_t i = 0; i < count; ++i) StoreLe16(&t.predicted[2 * i], F32ToBf16(LoadLe32(load(i))));
  } else if (b == 10 && t.dtype == 12) {
    for (uint64_t i = 0; i < count; ++i) StoreLe32(&t.predicted[4 * i], F16ToF32(LoadLe16(load(i))));
  } else if (b == 11 && t.dtype == 12) {
    for (uint64_t i = 0; i < count; ++i) StoreLe32(&t.predicted[4 * i], LoadLe16(load(i)) * 65536u);
  } else {
    t.has_prediction = false;
  }
  return t;
}

}  // namespace

bool ReferenceDecode(const TestBase& base, const std::vector<LayoutEntry>& layout, const CodedVariant& coded,
                     uint32_t segment_size, Bytes* data) {
  std::vector<LayoutEntry> entries = layout;
  for (size_t i = 0; layout.empty() && i < base.shared().tensor_count(); ++i) {
    const TensorRecord& t = base.shared().tensor(i);
    entries.push_back({i, t.dtype, t.size});
  }
  std::vector<Tensor> tensors;
  std::vector<StripPlace> strips;
  uint64_t size = 0;
  for (const LayoutEntry& entry : entries) {
    Tensor t = Describe(base, entry);
    t.offset = size;
    size += t.size;
    const bool by_rows =
        t.base->has_prior() && t.size == t.base->size && ElementSize(static_cast<uint8_t>(t.dtype)) == 1;
    const uint64_t line = by_rows ? t.base->cols : t.size;
    for (uint64_t row = 0; t.size > 0 && row < t.size / line; ++row) {
      for (uint64_t column = 0; column < line; column += 256) {
        strips.push_back({tensors.size(), row, column, std::min<uint64_t>(256, line - column), row * line + column});
      }
    }
    tensors.push_back(std::move(t));
  }
  if (coded.segments.size() != (size + segment_size - 1) / segment_size) return false;
  data->assign(size, 0);
  size_t next = 0;
  for (size_t s = 0; s < coded.segments.size(); ++s) {
    Segment segment(coded.segments[s]);
    if (!segment.stream.ok) return false;
    std::optional<TensorDecoder> decoder;
    size_t tensor = ~size_t{0};
    for (; next < strips.size(); ++next) {
      const StripPlace& strip = strips[next];
      const uint64_t offset = tensors[strip.tensor].offset + strip.at;
      if (offset >= (s + 1) * segment_size) break;
      if (strip.tensor != tensor) {
        tensor = strip.tensor;
        decoder.emplace(base.shared(), tensors[tensor], &segment);
        if (!decoder->Begin()) return false;
      }
      if (!decoder->Decode(strip, data->data() + offset)) return false;
    }
    if (!segment.stream.Ended()) return false;
  }
  return true;
}

}  // namespace modelvault
