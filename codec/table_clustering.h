// Which histograms share a table of code lengths.
#ifndef MODELVAULT_CODEC_TABLE_CLUSTERING_H_
#define MODELVAULT_CODEC_TABLE_CLUSTERING_H_

#include <cstdint>
#include <vector>

#include "codec/prefix_coding.h"

namespace modelvault {

struct TableClusters {
  std::vector<CodeLengths> tables;  // At most kMaxTables.
  std::vector<int> table_of;        // For each histogram its table, or -1: better left as raw bytes.
};

// Groups `histograms` so that tables and symbols together cost little (greedy, deterministic). Empty histograms get -1.
// may_be_raw[i] says whether -1 is allowed otherwise.
TableClusters ClusterTables(const std::vector<Histogram>& histograms, const std::vector<bool>& may_be_raw);

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_TABLE_CLUSTERING_H_
