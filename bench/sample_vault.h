// A vault of a SampleModel in a temporary folder, which goes when the object goes.
#ifndef MODELVAULT_BENCH_SAMPLE_VAULT_H_
#define MODELVAULT_BENCH_SAMPLE_VAULT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "bench/sample_model.h"

namespace modelvault::bench {

class SampleVault {
 public:
  // Ends the program if anything fails.
  SampleVault(unsigned variants, uint32_t segment_size);
  ~SampleVault();
  SampleVault(const SampleVault&) = delete;
  SampleVault& operator=(const SampleVault&) = delete;

  const SampleModel& model() const { return model_; }
  const std::string& path() const { return path_; }
  const std::vector<std::string>& names() const { return names_; }
  uint64_t stored_size(size_t variant) const { return stored_sizes_[variant]; }

 private:
  SampleModel model_;
  std::string folder_;
  std::string path_;
  std::vector<std::string> names_;
  std::vector<uint64_t> stored_sizes_;
};

}  // namespace modelvault::bench

#endif  // MODELVAULT_BENCH_SAMPLE_VAULT_H_
