#include "codec/shared_tables_builder.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "codec/base_encoder.h"
#include "codec/prefix_coding.h"
#include "codec/row_dictionary.h"
#include "codec/table_clustering.h"
#include "codec/varint.h"

namespace modelvault {
namespace {

constexpr uint64_t kBlockSize = 1 << 20;

// What was found out about one tensor of the base.
struct TensorPlan {
  std::vector<Histogram> planes;        // One a byte of an element; for a dictionary tensor of the fresh rows.
  std::vector<std::string> dictionary;  // Empty: no dictionary.
  Histogram skips{};
  Histogram near{};
};

// Hands the tensor at `offset` to visit(bytes) in blocks of whole units of `unit` bytes.
template <typename Visit>
absl::Status ForEachBlock(DataSource* data, uint64_t offset, uint64_t size, uint64_t unit, Visit visit) {
  const uint64_t block = std::max(unit, kBlockSize / unit * unit);
  std::vector<uint8_t> buffer(static_cast<size_t>(std::min(block, size)));
  for (uint64_t at = 0; at < size; at += block) {
    const absl::Span<uint8_t> bytes = absl::MakeSpan(buffer).first(static_cast<size_t>(std::min(block, size - at)));
    if (absl::Status status = data->Read(offset + at, bytes); !status.ok()) return status;
    visit(absl::Span<const uint8_t>(bytes));
  }
  return absl::OkStatus();
}

// Bits of the symbols of `h` and of their table.
uint64_t Cost(const Histogram& h) {
  uint64_t total = 0;
  for (uint64_t count : h) total += count;
  if (total == 0) return 0;
  const CodeLengths lengths = OptimalCodeLengths(h);
  return CodedBits(h, lengths) + SerializeCodeLengths(lengths).size() * 8;
}

// The dictionary row nearest to `row`, if it is near enough to be one of its copies: its number, else -1.
int NearestRow(const std::vector<std::string>& dictionary, absl::Span<const uint8_t> row) {
  int best = -1;
  uint64_t best_distance = row.size() / 2;
  for (size_t d = 0; d < dictionary.size(); ++d) {
    uint64_t distance = 0;
    for (size_t j = 0; j < row.size() && distance <= best_distance; ++j) {
      distance += static_cast<uint64_t>(std::abs(static_cast<int8_t>(row[j]) - static_cast<int8_t>(dictionary[d][j])));
    }
    if (distance < best_distance || (best < 0 && distance == best_distance)) {
      best = static_cast<int>(d);
      best_distance = distance;
    }
  }
  return best;
}

// `plan` has its planes.
absl::Status ScanTensor(const ModelTensor& spec, uint64_t offset, DataSource* data, TensorPlan* plan) {
  const uint64_t size = spec.size();
  const size_t element = plan->planes.size();
  if (size == 0) return absl::OkStatus();
  const bool by_rows = element == 1 && spec.rows() >= 4 && spec.cols() >= 8 && spec.cols() <= kMaxPriorColumns;
  const size_t cols = static_cast<size_t>(spec.cols());
  RowDictionaryFinder finder(spec.cols());
  absl::Status status =
      ForEachBlock(data, offset, size, by_rows ? spec.cols() : element, [&](absl::Span<const uint8_t> bytes) {
        size_t plane = 0;
        for (uint8_t byte : bytes) {
          ++plan->planes[plane][byte];
          if (++plane == element) plane = 0;
        }
        if (!by_rows) return;
        for (size_t at = 0; at < bytes.size(); at += cols) finder.AddRow(bytes.subspan(at, cols));
      });
  if (!status.ok() || !by_rows) return status;

  const std::vector<std::string> rows = finder.Rows();
  if (rows.empty()) return absl::OkStatus();
  TensorPlan with;
  with.planes.assign(1, Histogram{});
  with.dictionary = rows;
  uint64_t row_count = 0, copies = 0;
  status = ForEachBlock(data, offset, size, spec.cols(), [&](absl::Span<const uint8_t> bytes) {
    for (size_t at = 0; at < bytes.size(); at += cols) {
      const absl::Span<const uint8_t> row = bytes.subspan(at, cols);
      const int nearest = NearestRow(rows, row);
      ++row_count;
      if (nearest < 0) {
        for (uint8_t byte : row) ++with.planes[0][byte];
      } else {
        ++copies;
        AddCopiedRow(row, reinterpret_cast<const uint8_t*>(rows[static_cast<size_t>(nearest)].data()), &with.skips,
                     &with.near);
      }
    }
  });
  if (!status.ok()) return status;
  // A chunk may cut a row, and each part chooses anew: whatever might be chosen needs a slot.
  for (size_t s = 0; s < 256; ++s) {
    if (plan->planes[0][s] != 0 && with.planes[0][s] == 0) with.planes[0][s] = 1;
  }
  // A table has at least one symbol, even where no copy differs.
  for (Histogram* h : {&with.skips, &with.near}) (*h)[0] = std::max<uint64_t>(1, (*h)[0]);
  const uint64_t kinds = row_count + copies * static_cast<uint64_t>(std::bit_width(rows.size() - 1));
  const uint64_t dictionary = rows.size() * spec.cols() * 8;
  if (Cost(with.planes[0]) + Cost(with.skips) + Cost(with.near) + kinds + dictionary < Cost(plan->planes[0])) {
    *plan = std::move(with);
  }
  return absl::OkStatus();
}

// A tensor may use kMaxTablesPerTensor tables: planes that gain least become raw.
void LimitTables(const TensorPlan& plan, const std::vector<CodeLengths>& tables, absl::Span<int> planes) {
  for (;;) {
    std::vector<int> used;
    for (int t : planes) {
      if (t >= 0 && std::find(used.begin(), used.end(), t) == used.end()) used.push_back(t);
    }
    if (used.size() <= kMaxTablesPerTensor) return;
    int least = -1;
    uint64_t least_gain = std::numeric_limits<uint64_t>::max();
    for (int t : used) {
      uint64_t gain = 0;
      for (size_t p = 0; p < planes.size(); ++p) {
        if (planes[p] != t) continue;
        uint64_t raw = 0;
        for (uint64_t count : plan.planes[p]) raw += count * 8;
        const uint64_t coded = CodedBits(plan.planes[p], tables[static_cast<size_t>(t)]);
        gain += raw > coded ? raw - coded : 0;
      }
      if (gain < least_gain) {
        least_gain = gain;
        least = t;
      }
    }
    for (int& t : planes) {
      if (t == least) t = -1;
    }
  }
}

// Where a parser stopped that was given `records`, of which it fills one after the other: those that it did not come to
// have no element size.
std::string StoppedAt(absl::Span<const TensorRecord> records) {
  size_t read = 0;
  while (read < records.size() && records[read].element_size != 0) ++read;
  if (read == 0) return "in its counts, its tables of codes or its first tensor's record";
  const TensorRecord& last = records[read - 1];
  return absl::StrCat("at or after the record of tensor ", read - 1, " of ", records.size(), ": type ",
                      static_cast<int>(last.dtype), ", ", last.rows, " x ", last.cols, " elements, flags ",
                      static_cast<int>(last.flags), ", level ", static_cast<int>(last.level));
}

}  // namespace

absl::StatusOr<std::string> BuildSharedTables(absl::Span<const ModelTensor> base, DataSource* data,
                                              const DeltaStatistics& deltas, BaseProfile profile) {
  std::vector<TensorPlan> plans(base.size());
  std::vector<Histogram> histograms;
  std::vector<bool> may_be_raw;
  uint64_t offset = 0;
  for (size_t i = 0; i < base.size(); ++i) {
    TensorPlan& plan = plans[i];
    plan.planes.assign(ElementSize(static_cast<uint8_t>(base[i].dtype)), Histogram{});
    if (profile == BaseProfile::kSmall) {  // Else nothing is counted, and what does not occur has no table.
      if (absl::Status status = ScanTensor(base[i], offset, data, &plan); !status.ok()) return status;
    }
    offset += base[i].size();
    for (const Histogram& h : plan.planes) {
      histograms.push_back(h);
      may_be_raw.push_back(true);
    }
    if (plan.dictionary.empty()) continue;
    for (const Histogram* h : {&plan.skips, &plan.near}) {
      histograms.push_back(*h);
      may_be_raw.push_back(false);
    }
  }
  TableClusters clusters = ClusterTables(histograms, may_be_raw);

  std::string records;
  std::string area;
  size_t next = 0;  // In histograms, the order of above.
  for (size_t i = 0; i < base.size(); ++i) {
    const TensorPlan& plan = plans[i];
    const absl::Span<int> planes = absl::MakeSpan(clusters.table_of).subspan(next, plan.planes.size());
    next += plan.planes.size();
    LimitTables(plan, clusters.tables, planes);
    const DeltaStatistics::Prior prior = deltas.MakePrior(i);
    records.push_back(static_cast<char>(base[i].dtype));
    AppendVarint(&records, base[i].rows());
    AppendVarint(&records, base[i].cols());
    records.push_back(static_cast<char>(prior.flags | (plan.dictionary.empty() ? 0 : kFlagDictionary)));
    records.push_back(static_cast<char>(prior.level));
    for (int table : planes) records.push_back(static_cast<char>(table < 0 ? kRawPlane : table));
    if (!plan.dictionary.empty()) {
      AppendVarint(&records, plan.dictionary.size());
      records.push_back(static_cast<char>(clusters.table_of[next++]));
      records.push_back(static_cast<char>(clusters.table_of[next++]));
      for (const std::string& row : plan.dictionary) area += row;
    }
    area += PackNibbles(prior.row_classes);
    area += PackNibbles(prior.column_classes);
  }
  std::string section;
  AppendVarint(&section, base.size());
  AppendVarint(&section, clusters.tables.size());
  for (const CodeLengths& table : clusters.tables) section += SerializeCodeLengths(table);
  section += records;
  while (section.size() % 4 != 0) section.push_back(0);
  return section + area;
}

absl::StatusOr<std::unique_ptr<const ParsedSharedTables>> ParsedSharedTables::Parse(std::string section) {
  auto parsed = std::unique_ptr<ParsedSharedTables>(new ParsedSharedTables());
  parsed->section_ = std::move(section);
  const ByteView view{reinterpret_cast<const uint8_t*>(parsed->section_.data()), parsed->section_.size()};
  size_t count = 0;
  CoreStatus status = SharedTables::CountTensors(view, &count);
  if (status != CoreStatus::kOk) {
    return absl::DataLossError(absl::StrCat("MODEL section: ", CoreStatusName(status), ": a count of ", count,
                                            " tensors in ", view.size, " bytes"));
  }
  parsed->records_.resize(count);
  status = parsed->tables_.Parse(view, parsed->records_.data(), parsed->records_.size());
  if (status != CoreStatus::kOk) {
    return absl::DataLossError(
        absl::StrCat("MODEL section: ", CoreStatusName(status), ", ", StoppedAt(parsed->records_)));
  }
  return std::unique_ptr<const ParsedSharedTables>(std::move(parsed));
}

}  // namespace modelvault
