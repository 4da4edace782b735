#include "codec/segment_encoder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <vector>

#include "absl/status/status.h"
#include "codec/core/segment_decoder.h"
#include "codec/rans_encoder.h"
#include "codec/weight_groups.h"

namespace modelvault {
namespace {

// The strips of one tensor in one segment: a run of its bytes without holes.
struct Piece {
  size_t tensor_index = 0;
  VariantTensor tensor{};
  const TensorRecord* record = nullptr;
  uint64_t in_tensor = 0;  // Where the piece begins.
  std::vector<Strip> strips;
  std::vector<uint8_t> actual;  // The variant's bytes.
  std::vector<uint8_t> predicted;
};

// Everything adaptive, as the decoder will have it.
struct CoderState {
  SegmentContexts contexts;
  uint8_t last_scale = 1;
  int level_offset = 0;
};

// Codes the scale of a tensor, if one does for all its groups, else that of a group when its first weight asks for it.
class ScaleCoder {
 public:
  ScaleCoder(const std::vector<WeightGroup>* groups, uint64_t begin)
      : groups_(groups), first_group_(begin >> kGroupShift), known_(groups->size(), 0), scale_(groups->size(), 0) {}

  // Before the tensor's weights.
  template <typename Sink>
  void Begin(Sink* sink, CoderState* state) {
    WeightGroup all{1, 255};
    for (const WeightGroup& g : *groups_) {
      all.least = g.least == 0 || all.least == 0 ? uint8_t{0} : std::max(all.least, g.least);
      all.most = std::min(all.most, g.most);
    }
    const bool one = all.least != 0 && all.least <= all.most;
    EncodeBit(sink, &state->contexts.one_scale, one);
    if (!one) return;
    const uint8_t scale = ChooseScale(all, state->last_scale);
    CodeScale(sink, scale, state);
    std::fill(known_.begin(), known_.end(), uint8_t{1});
    std::fill(scale_.begin(), scale_.end(), scale);
  }

  // Returns the group's scale (0 = escape).
  template <typename Sink>
  uint8_t Code(Sink* sink, uint64_t weight, CoderState* state) {
    const size_t g = static_cast<size_t>((weight >> kGroupShift) - first_group_);
    if (known_[g] == 0) {
      known_[g] = 1;
      scale_[g] = ChooseScale((*groups_)[g], state->last_scale);
      CodeScale(sink, scale_[g], state);
    }
    return scale_[g];
  }

 private:
  template <typename Sink>
  static void CodeScale(Sink* sink, uint8_t scale, CoderState* state) {
    const bool same = scale == state->last_scale;
    EncodeBit(sink, &state->contexts.same_scale, same);
    if (!same) EncodeGamma(sink, &state->contexts.scale, scale);
    state->last_scale = scale;
  }

  const std::vector<WeightGroup>* groups_;
  uint64_t first_group_;
  std::vector<uint8_t> known_;
  std::vector<uint8_t> scale_;
};

// What gaps and signs can say.
bool HasWeights(const Piece& piece) { return piece.tensor.dtype == DType::kI8 && piece.record->dtype == DType::kI8; }

int Delta(const Piece& piece, size_t i) {
  return static_cast<int8_t>(piece.actual[i]) - static_cast<int8_t>(piece.predicted[i]);
}

unsigned MagnitudeContext(unsigned level) { return std::min(level / 2, kMagnitudeContexts - 1); }

template <typename Sink>
void EncodeMagnitude(Sink* sink, CoderState* state, unsigned level, int delta) {
  EncodeGamma(sink, &state->contexts.magnitude[MagnitudeContext(level)], static_cast<uint64_t>(std::abs(delta)) - 1);
}

template <typename Sink>
void EncodeMode(Sink* sink, CoderState* state, DType dtype, TensorMode mode) {
  AdaptiveBit* tree = state->contexts.mode[dtype == DType::kI8 ? 1 : 0];
  unsigned node = 1;
  for (int i = 2; i >= 0; --i) {
    const bool bit = (static_cast<unsigned>(mode) >> i) & 1;
    EncodeBit(sink, &tree[node], bit);
    node = 2 * node + (bit ? 1 : 0);
  }
}

// Visits the weights of a piece in decoding order: run(level, indices into the piece, count).
template <typename Run>
void ForEachRun(const SharedTables& shared, const Piece& piece, bool by_class, unsigned t, Run run) {
  const TensorRecord& record = *piece.record;
  const bool columns = by_class && (record.flags & kFlagColumnPrior) != 0;
  std::vector<uint8_t> order;
  std::vector<StripColumns> strips;
  if (columns) {
    order.resize(static_cast<size_t>(record.cols));
    strips.resize(ColumnOrder::StripCount(order.size()));
    ColumnOrder built{order.data(), strips.data(), order.size()};
    static_cast<void>(built.Build(shared, record));  // There is room.
  }
  std::array<uint32_t, kStripSize> indices;
  for (const Strip& strip : piece.strips) {
    const uint32_t first = static_cast<uint32_t>(strip.in_tensor - piece.in_tensor);
    const unsigned row = by_class ? ClassStep(shared.RowClass(record, strip.row)) : 0;
    uint32_t begin = 0;
    for (unsigned c = 0; begin < strip.size; ++c) {
      const StripColumns* classes = columns ? &strips[strip.in_line / kStripSize] : nullptr;
      const uint32_t end = columns && c < kClassCount - 1 ? begin + classes->counts[0][c] : strip.size;
      if (end == begin) continue;
      for (uint32_t place = begin; place < end; ++place) {
        indices[place - begin] = first + (columns ? order[strip.in_line + place] : place);
      }
      const unsigned level = std::min(t + row + (columns ? ClassStep(c) : 0), kLevelCount - 1);
      run(level, absl::MakeConstSpan(indices.data(), end - begin));
      begin = end;
    }
  }
}

// What the classes of a tensor's prior must save where time counts: for each weight that differs and for each strip.
constexpr uint64_t kClassCostOfHit = kBitCost / 16;
constexpr uint64_t kClassCostOfStrip = kBitCost * 7 / 16;

class SegmentWriter {
 public:
  // `plain`: TensorMode::kPlain may be taken. `time_counts`: classes have their price (docs/format.md §5).
  SegmentWriter(const SharedTables& shared, bool plain, bool time_counts)
      : shared_(shared), plain_(plain), time_counts_(time_counts) {
    for (Pending& p : pending_) p = {};
  }

  void Add(const Piece& piece);
  std::string Finish();

 private:
  // What one way of coding a piece would cost, in 1/65,536 bit.
  struct Choice {
    TensorMode mode = TensorMode::kRaw;
    uint64_t cost = 0;
    unsigned level = 0;
  };
  struct Pending {
    bool open = false;
    size_t ticket = 0;
    uint32_t passed = 0;
  };

  Choice Choose(const Piece& piece, const std::vector<WeightGroup>& groups, unsigned shift) const;
  Choice GapCost(const Piece& piece, const std::vector<WeightGroup>& groups, bool by_class) const;

  template <typename Sink>
  void EncodeLevel(Sink* sink, CoderState* state, const TensorRecord& record, unsigned level) const {
    const int offset = static_cast<int>(level) - record.level;
    const int step = offset - state->level_offset;
    const uint32_t zigzag = (static_cast<uint32_t>(step) << 1) ^ static_cast<uint32_t>(step >> 31);
    EncodeGamma(sink, &state->contexts.level, zigzag);
    state->level_offset = offset;
  }
  template <typename Sink>
  void EncodeSigns(Sink* sink, CoderState* state, const Piece& piece, const std::vector<WeightGroup>& groups) const;
  template <typename Sink>
  void EncodePlain(Sink* sink, CoderState* state, const Piece& piece) const;
  template <typename Sink>
  void EncodeResiduals(Sink* sink, CoderState* state, const Piece& piece, unsigned shift) const;
  void EncodeGaps(const Piece& piece, const std::vector<WeightGroup>& groups, bool by_class, unsigned level);
  void OpenGap(unsigned level) { pending_[level] = {true, out_.Gap(level), 0}; }

  const SharedTables& shared_;
  const bool plain_;
  const bool time_counts_;
  RansEncoder out_;
  CoderState state_;
  std::array<Pending, kLevelCount> pending_;
};

// The low magnitude bits that are zero in every element of the piece: its values come from a coarser grid.
unsigned CommonShift(const Piece& piece) {
  const unsigned size = piece.tensor.element_size;
  const unsigned width = 8 * size;
  uint64_t any = 0;
  for (size_t at = 0; at < piece.actual.size(); at += size) any |= LoadElement(&piece.actual[at], size);
  if (IsFloat(piece.tensor.dtype)) any &= (uint64_t{1} << (width - 1)) - 1;
  return any == 0 ? 0 : static_cast<unsigned>(std::countr_zero(any));
}

template <typename Sink>
void SegmentWriter::EncodeResiduals(Sink* sink, CoderState* state, const Piece& piece, unsigned shift) const {
  const unsigned size = piece.tensor.element_size;
  const unsigned width = 8 * size;
  const bool is_float = IsFloat(piece.tensor.dtype);
  sink->Raw(shift, 6);
  for (size_t at = 0; at < piece.actual.size(); at += size) {
    const int64_t a = ElementToOrdered(LoadElement(&piece.actual[at], size), width, is_float, shift);
    const int64_t b = ElementToOrdered(LoadElement(&piece.predicted[at], size), width, is_float, shift);
    const int64_t r = SignExtend(static_cast<uint64_t>(a) - static_cast<uint64_t>(b), width - shift);
    const uint64_t magnitude = r < 0 ? 0 - static_cast<uint64_t>(r) : static_cast<uint64_t>(r);
    if (size > 1) {
      EncodeGamma(sink, &state->contexts.residual, magnitude);
    } else {
      EncodeGamma(sink, &state->contexts.byte_residual, magnitude);
    }
    if (r != 0) sink->Raw(r < 0 ? 1 : 0, 1);
  }
}

template <typename Sink>
void SegmentWriter::EncodePlain(Sink* sink, CoderState* state, const Piece& piece) const {
  for (const uint8_t byte : piece.actual) {
    unsigned node = 1;
    for (unsigned left = 8; left-- > 0;) {
      const bool bit = (byte >> left & 1) != 0;
      EncodeBit(sink, &state->contexts.plain[node], bit);
      node = 2 * node + (bit ? 1 : 0);
    }
  }
}

template <typename Sink>
void SegmentWriter::EncodeSigns(Sink* sink, CoderState* state, const Piece& piece,
                                const std::vector<WeightGroup>& groups) const {
  ScaleCoder scales(&groups, piece.in_tensor);
  scales.Begin(sink, state);
  for (size_t i = 0; i < piece.actual.size(); ++i) {
    scales.Code(sink, piece.in_tensor + i, state);
    sink->Raw(Delta(piece, i) < 0 ? 1 : 0, 1);
  }
}

SegmentWriter::Choice SegmentWriter::GapCost(const Piece& piece, const std::vector<WeightGroup>& groups,
                                             bool by_class) const {
  // Weights and hits by what the classes add to the level; then each level is tried.
  std::array<uint64_t, 2 * 48 + 1> weights{}, hits{};
  const TensorRecord& record = *piece.record;
  for (const Strip& strip : piece.strips) {
    const unsigned row = by_class ? ClassStep(shared_.RowClass(record, strip.row)) : 0;
    const size_t first = static_cast<size_t>(strip.in_tensor - piece.in_tensor);
    for (uint32_t i = 0; i < strip.size; ++i) {
      const unsigned step = row + (by_class ? ClassStep(shared_.ColumnClass(record, strip.in_line + i)) : 0);
      ++weights[step];
      if (piece.actual[first + i] != piece.predicted[first + i]) ++hits[step];
    }
  }
  Choice best{by_class ? TensorMode::kGap : TensorMode::kGapFlat, ~uint64_t{0}, 0};
  uint64_t hit_count = 0;
  for (uint64_t h : hits) hit_count += h;
  for (unsigned t = 0; t < kLevelCount; ++t) {
    uint64_t cost = 0;
    std::bitset<kLevelCount> opened;
    for (unsigned step = 0; step < weights.size(); ++step) {
      if (weights[step] == 0) continue;
      const unsigned level = std::min(t + step, kLevelCount - 1);
      cost += hits[step] * HitCost(level) + (weights[step] - hits[step]) * MissCost(level);
      if (pending_[level].open || opened[level]) continue;
      // The level's last gap ends the segment with a hit, and its sign, that nobody needs.
      opened.set(level);
      cost += HitCost(level) + kBitCost;
    }
    if (cost < best.cost) {
      best.cost = cost;
      best.level = t;
    }
  }
  // Signs, level, scales and magnitudes: what they will really cost.
  CostCounter counter;
  CoderState state = state_;
  EncodeLevel(&counter, &state, record, best.level);
  ScaleCoder scales(&groups, piece.in_tensor);
  scales.Begin(&counter, &state);
  ForEachRun(shared_, piece, by_class, best.level, [&](unsigned level, absl::Span<const uint32_t> indices) {
    for (uint32_t i : indices) {
      const int delta = Delta(piece, i);
      if (delta != 0 && scales.Code(&counter, piece.in_tensor + i, &state) == 0) {
        EncodeMagnitude(&counter, &state, level, delta);
      }
    }
  });
  best.cost += counter.cost() + hit_count * kBitCost;
  if (by_class && time_counts_) best.cost += hit_count * kClassCostOfHit + piece.strips.size() * kClassCostOfStrip;
  return best;
}

SegmentWriter::Choice SegmentWriter::Choose(const Piece& piece, const std::vector<WeightGroup>& groups,
                                            unsigned shift) const {
  if (piece.tensor.prediction != Prediction::kZero && piece.actual == piece.predicted) {
    return {TensorMode::kSame, 0, 0};
  }
  Choice best{TensorMode::kRaw, piece.actual.size() * 8 * kBitCost, 0};
  auto consider = [&](const Choice& choice) {
    if (choice.cost < best.cost) best = choice;
  };
  bool ternary = false;  // Nothing a residual could say more cheaply.
  if (!groups.empty()) {
    ternary = true;
    for (const WeightGroup& g : groups) ternary = ternary && g.least != 0;
    consider(GapCost(piece, groups, false));
    if (piece.record->has_prior()) consider(GapCost(piece, groups, true));
    bool dense = ternary;
    for (size_t i = 0; dense && i < piece.actual.size(); ++i) dense = piece.actual[i] != piece.predicted[i];
    if (dense) {
      CostCounter counter;
      CoderState state = state_;
      EncodeSigns(&counter, &state, piece, groups);
      consider({TensorMode::kSign, counter.cost(), 0});
    }
  }
  if (!ternary) {
    CostCounter counter;
    CoderState state = state_;
    EncodeResiduals(&counter, &state, piece, shift);
    consider({TensorMode::kResidual, counter.cost(), 0});
  }
  if (plain_ && !ternary && piece.tensor.element_size == 1) {
    CostCounter counter;
    CoderState state = state_;
    EncodePlain(&counter, &state, piece);
    consider({TensorMode::kPlain, counter.cost(), 0});
  }
  return best;
}

void SegmentWriter::EncodeGaps(const Piece& piece, const std::vector<WeightGroup>& groups, bool by_class,
                               unsigned level_of_tensor) {
  EncodeLevel(&out_, &state_, *piece.record, level_of_tensor);
  ScaleCoder scales(&groups, piece.in_tensor);
  scales.Begin(&out_, &state_);
  ForEachRun(shared_, piece, by_class, level_of_tensor, [&](unsigned level, absl::Span<const uint32_t> indices) {
    Pending& pending = pending_[level];
    if (!pending.open) OpenGap(level);
    for (uint32_t i : indices) {
      const int delta = Delta(piece, i);
      if (delta == 0) {
        ++pending.passed;
        continue;
      }
      out_.SetGap(pending.ticket, pending.passed, delta < 0);
      if (scales.Code(&out_, piece.in_tensor + i, &state_) == 0) EncodeMagnitude(&out_, &state_, level, delta);
      OpenGap(level);
    }
  });
}

void SegmentWriter::Add(const Piece& piece) {
  std::vector<WeightGroup> groups;
  if (HasWeights(piece)) {
    groups = AnalyzeGroups(piece.in_tensor, piece.predicted, piece.actual);
  }
  const unsigned shift = CommonShift(piece);
  const Choice choice = Choose(piece, groups, shift);
  EncodeMode(&out_, &state_, piece.tensor.dtype, choice.mode);
  switch (choice.mode) {
    case TensorMode::kSame:
      break;
    case TensorMode::kGap:
    case TensorMode::kGapFlat:
      EncodeGaps(piece, groups, choice.mode == TensorMode::kGap, choice.level);
      break;
    case TensorMode::kSign:
      EncodeSigns(&out_, &state_, piece, groups);
      break;
    case TensorMode::kResidual:
      EncodeResiduals(&out_, &state_, piece, shift);
      break;
    case TensorMode::kRaw:
      for (uint8_t byte : piece.actual) out_.Raw(byte, 8);
      break;
    case TensorMode::kPlain:
      EncodePlain(&out_, &state_, piece);
      break;
  }
}

std::string SegmentWriter::Finish() {
  for (const Pending& p : pending_) {
    if (p.open) out_.SetLastGap(p.ticket, p.passed);
  }
  return out_.Finish();
}

absl::Status ReadPiece(DataSource* base, DataSource* variant, Piece* piece) {
  const VariantTensor& t = piece->tensor;
  uint64_t size = 0;
  for (const Strip& s : piece->strips) size += s.size;
  piece->actual.resize(static_cast<size_t>(size));
  piece->predicted.assign(static_cast<size_t>(size), 0);
  absl::Status status = variant->Read(t.offset + piece->in_tensor, absl::MakeSpan(piece->actual));
  if (!status.ok() || t.prediction == Prediction::kZero) return status;
  if (t.prediction == Prediction::kCopy) {
    return base->Read(piece->record->offset + piece->in_tensor, absl::MakeSpan(piece->predicted));
  }
  const uint64_t count = size / t.element_size;
  std::vector<uint8_t> elements(static_cast<size_t>(count * piece->record->element_size));
  status = base->Read(piece->record->offset + piece->in_tensor / t.element_size * piece->record->element_size,
                      absl::MakeSpan(elements));
  if (status.ok()) {
    Predict(t.prediction, elements.data(), static_cast<size_t>(count), piece->predicted.data());
  }
  return status;
}

// More than a twentieth of the segment's weights differ.
bool IsDense(const std::vector<Piece>& pieces) {
  uint64_t weights = 0;
  uint64_t hits = 0;
  for (const Piece& piece : pieces) {
    if (!HasWeights(piece)) continue;
    weights += piece.actual.size();
    for (size_t i = 0; i < piece.actual.size(); ++i) hits += piece.actual[i] != piece.predicted[i] ? 1 : 0;
  }
  return hits > weights / 20;
}

}  // namespace

absl::StatusOr<std::string> SegmentEncoder::Encode(uint64_t segment, DataSource* base, DataSource* variant,
                                                   size_t* other_size) const {
  const uint64_t end = std::min<uint64_t>(layout_->data_size(), (segment + 1) * segment_size_);
  std::vector<Piece> pieces;
  StripCursor cursor(layout_, static_cast<size_t>(segment * segment_size_));
  while (!cursor.at_end() && cursor.strip().offset < end) {
    Piece& piece = pieces.emplace_back();
    piece.tensor_index = cursor.tensor_index();
    piece.tensor = cursor.tensor();
    piece.record = &cursor.record();
    piece.in_tensor = cursor.strip().in_tensor;
    for (; !cursor.at_end() && cursor.tensor_index() == piece.tensor_index && cursor.strip().offset < end;
         cursor.Next()) {
      piece.strips.push_back(cursor.strip());
    }
    if (absl::Status status = ReadPiece(base, variant, &piece); !status.ok()) return status;
  }
  const auto coded = [&](bool time_counts) {
    SegmentWriter writer(layout_->shared(), plain_, time_counts);
    for (const Piece& piece : pieces) writer.Add(piece);
    return writer.Finish();
  };
  // Where the base is only copied, the delta is most of a board's time that a vault can choose.
  const bool copied = layout_->shared().all_raw();
  const bool dense = (copied || other_size != nullptr) && IsDense(pieces);
  std::string stored = coded(copied && dense);
  if (other_size != nullptr) *other_size = dense ? coded(!copied).size() : stored.size();
  return stored;
}

}  // namespace modelvault
