#include "tools/fitting/fit_run.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tools/fitting/int8_files.h"
#include "tools/fitting/work_folder.h"
#include "tools/packing/pack.h"

namespace modelvault {
namespace {

namespace fs = std::filesystem;

constexpr int kMostFits = 24;
constexpr double kSlope = -0.6;            // Of log size over log lambda: the first guess.
constexpr uint64_t kVariantOverhead = 90;  // Of a variant's index entry, name, header and frame: until it is known.
constexpr uint64_t kFixedOverhead = 2000;

// Fits at one price after another. Sizes are packed bytes, with an overhead that real vaults correct.
class Search {
 public:
  Search(FileSystem& file_system, const FitInput& input, const Fitter& fitter, const std::string& output,
         const FitRunOptions& options)
      : file_system_(file_system), input_(input), fitter_(fitter), output_(output), options_(options) {
    overhead_ = kFixedOverhead + kVariantOverhead * input.variant_count();
  }

  absl::StatusOr<FitRun> Run() {
    absl::StatusOr<FitRun> found = options_.lambda > 0 ? Fit(options_.lambda) : FindPrice();
    // The real vault tells what the estimate left out; then the price may have to move once more.
    for (int i = 0; found.ok() && i < 4; ++i) {
      if (absl::Status status = Pack(&*found); !status.ok()) return status;
      const bool fits = found->vault_size <= options_.budget;
      if (options_.lambda > 0 || (fits && !CouldUseMore(found->vault_size))) break;
      overhead_ = found->vault_size - found->size.total();
      if (fits && exhausted_) break;
      tried_.clear();
      tried_.push_back({std::log(found->lambda), static_cast<double>(found->vault_size)});
      found = FindPrice();
    }
    if (!found.ok()) return found.status();
    if (found->vault_size > options_.budget) return OverBudget(found->vault_size);
    if (!options_.export_folder.empty()) {
      const absl::StatusOr<Int8Files> files =
          WriteInt8Files(file_system_, input_, found->models, options_.export_folder, true);
      if (!files.ok()) return files.status();
    }
    if (absl::Status status = AddCurve(&*found); !status.ok()) return status;
    found->fits = fits_;
    return found;
  }

 private:
  struct Point {
    double log_lambda;
    double size;
  };

  uint64_t SizeOf(const FitRun& run) const { return run.size.total() + overhead_; }

  bool CouldUseMore(uint64_t size) const {
    return static_cast<double>(size) < (1 - options_.tolerance) * static_cast<double>(options_.budget);
  }

  absl::Status OverBudget(uint64_t size) const {
    return absl::ResourceExhaustedError(absl::StrCat("the base and the least of ", input_.variant_count(),
                                                     " variants take ", size, " bytes; the budget is ",
                                                     options_.budget));
  }

  absl::StatusOr<FitRun> Fit(double lambda) {
    ++fits_;
    FitRun run;
    run.lambda = lambda;
    absl::StatusOr<FittedModels> models = fitter_.Fit(lambda, [&](uint64_t done, uint64_t total) {
      if (options_.progress) options_.progress(absl::StrCat("fit ", fits_), done, total);
    });
    if (!models.ok()) return models.status();
    run.models = *std::move(models);
    absl::StatusOr<PackedSize> size = MeasurePackedSize(input_.tensors(), run.models, options_.fit.threads);
    if (!size.ok()) return size.status();
    run.size = *std::move(size);
    return run;
  }

  // A guess: half of what dropping all costs is what all bits of the budget are worth.
  absl::StatusOr<double> FirstLambda() {
    if (!tried_.empty()) return std::exp(tried_.back().log_lambda);
    double signal = 0;
    double count = 0;
    for (size_t v = 0; v < input_.variant_count(); v += std::max<size_t>(1, input_.variant_count() / 8)) {
      const absl::StatusOr<std::vector<std::vector<float>>> weights = input_.ReadVariant(v);
      if (!weights.ok()) return weights.status();
      for (size_t t = 0; t < weights->size(); ++t) {
        const FitTensor& tensor = input_.tensors()[t];
        std::vector<float> delta = (*weights)[t];
        for (size_t i = 0; i < delta.size(); ++i) delta[i] -= input_.mean()[t][i];
        const std::vector<float> product = tensor.curvature.Product(delta);
        for (size_t i = 0; i < delta.size(); ++i) {
          signal += static_cast<double>(delta[i]) * static_cast<double>(product[i]) / 2;
        }
      }
      ++count;
    }
    const double each = signal / count;
    const double bits = 8 * static_cast<double>(options_.budget) / static_cast<double>(input_.variant_count());
    // Variants that are all alike: any price will do.
    return each > 0 ? each / bits / 5 : 1e-12;
  }

  // The largest vault that fits, by the estimate: the secant in logarithms, between a price that fits and one that does
  // not as soon as both are known.
  absl::StatusOr<FitRun> FindPrice() {
    const absl::StatusOr<double> first = FirstLambda();
    if (!first.ok()) return first.status();
    const double budget = static_cast<double>(options_.budget);
    const double aim = std::log(budget * (1 - options_.tolerance / 2));
    double at = std::log(*first);
    std::optional<FitRun> best;
    std::optional<Point> below, above;  // Of the budget.
    exhausted_ = false;
    for (int i = 0; i < kMostFits; ++i) {
      absl::StatusOr<FitRun> run = Fit(std::exp(at));
      if (!run.ok()) return run.status();
      const uint64_t size = SizeOf(*run);
      const Point point{at, static_cast<double>(size)};
      const bool fits = size <= options_.budget;
      const bool enough = fits && !CouldUseMore(size);
      uint64_t differing = 0;
      for (const FittedVariant& variant : run->models.variants) differing += variant.nonzeros();
      if (fits) {
        // More bits than there is anything to say with.
        exhausted_ = below.has_value() && point.size <= below->size && point.log_lambda < below->log_lambda - 1;
        if (!below.has_value() || point.size > below->size) {
          below = point;
          best = *std::move(run);
        }
        if (exhausted_) return *std::move(best);
      } else {
        if (differing == 0 && above.has_value() && point.size >= above->size) return OverBudget(size);
        above = point;
      }
      if (enough) return *std::move(best);
      if (below.has_value() && above.has_value()) {
        if (below->log_lambda - above->log_lambda < 1e-4) break;
        const double share = (std::log(above->size) - aim) / (std::log(above->size) - std::log(below->size));
        at = above->log_lambda + std::clamp(share, 0.05, 0.95) * (below->log_lambda - above->log_lambda);
      } else {
        const double step = (aim - std::log(point.size)) / kSlope;
        at += std::clamp(step, -3.0, 3.0) + (fits ? -0.02 : 0.02);
      }
    }
    if (best.has_value()) return *std::move(best);
    return OverBudget(static_cast<uint64_t>(above->size));
  }

  absl::Status Pack(FitRun* run) {
    // Beside the output, so that a folder that takes the vault takes these, too.
    const std::string folder = output_ + ".int8";
    const absl::Status status = WriteAndPack(folder, run);
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    return status;
  }

  absl::Status WriteAndPack(const std::string& folder, FitRun* run) {
    const absl::StatusOr<Int8Files> files = WriteInt8Files(file_system_, input_, run->models, folder, false);
    if (!files.ok()) return files.status();
    PackOptions pack;
    pack.threads = options_.fit.threads;
    pack.progress = [&](absl::string_view stage, uint64_t done, uint64_t total) {
      if (options_.progress) options_.progress(stage, done, total);
    };
    // Aside, until it is known to be within the budget: nothing else may take the output's place.
    const std::string aside = output_ + ".fitting";
    const absl::StatusOr<PackReport> report = PackVault(file_system_, files->base, files->variants, aside, pack);
    if (!report.ok()) return report.status();
    std::error_code error;
    if (report->bytes.file <= options_.budget) {
      fs::rename(aside, output_, error);
      if (error) return absl::UnavailableError(absl::StrCat(output_, ": ", error.message()));
    } else {
      fs::remove(aside, error);
    }
    run->vault_size = report->bytes.file;
    run->stored_sizes.clear();
    for (const PackedVariant& v : report->variants) run->stored_sizes.push_back(v.stored_size);
    return absl::OkStatus();
  }

  absl::Status AddCurve(FitRun* run) {
    if (options_.curve.empty()) return absl::OkStatus();
    const auto [least, most] = std::minmax_element(options_.curve.begin(), options_.curve.end());
    std::vector<CurvePoint> points;
    // Prices around this run's until the budgets asked for lie between two points, or nothing changes any more.
    for (const double direction : {1.0, -1.0}) {
      double previous = -1;
      for (int i = direction > 0 ? 0 : 1; i < 9; ++i) {
        const double lambda = run->lambda * std::exp2(direction * i);
        CurvePoint point;
        const FittedModels* models = &run->models;
        absl::StatusOr<FittedModels> other = FittedModels{};
        if (i > 0) {
          other = fitter_.FitVariants(run->models, lambda, [&](uint64_t done, uint64_t total) {
            if (options_.progress) options_.progress("rate and distortion", done, total);
          });
          if (!other.ok()) return other.status();
          models = &*other;
        }
        const absl::StatusOr<PackedSize> size = MeasurePackedSize(input_.tensors(), *models, options_.fit.threads);
        if (!size.ok()) return size.status();
        point.budget = static_cast<double>(size->total() + overhead_);
        double weights = 0;
        for (const FitTensor& tensor : input_.tensors()) {
          weights += tensor.linear ? static_cast<double>(tensor.base.size()) : 0;
        }
        for (const FittedVariant& v : models->variants) {
          point.remaining += v.remaining() / static_cast<double>(models->variants.size());
          point.density += static_cast<double>(v.nonzeros()) / weights / static_cast<double>(models->variants.size());
        }
        points.push_back(point);
        const double wanted = static_cast<double>(options_.budget) * (direction > 0 ? *least : *most);
        if (direction > 0 ? point.budget <= wanted : point.budget >= wanted) break;
        if (point.budget == previous) break;
        previous = point.budget;
      }
    }
    std::sort(points.begin(), points.end(),
              [](const CurvePoint& a, const CurvePoint& b) { return a.budget < b.budget; });
    for (const double multiple : options_.curve) {
      const double budget = multiple * static_cast<double>(options_.budget);
      const auto after =
          std::find_if(points.begin(), points.end(), [&](const CurvePoint& p) { return p.budget >= budget; });
      if (after == points.begin() && after->budget > budget) continue;
      if (after == points.end()) {
        run->curve.push_back({budget, points.back().remaining, points.back().density});
        continue;
      }
      const CurvePoint& a = after == points.begin() ? *after : *(after - 1);
      const double share = after->budget > a.budget ? (budget - a.budget) / (after->budget - a.budget) : 1;
      run->curve.push_back({budget, a.remaining + share * (after->remaining - a.remaining),
                            a.density + share * (after->density - a.density)});
    }
    return absl::OkStatus();
  }

  FileSystem& file_system_;
  const FitInput& input_;
  const Fitter& fitter_;
  const std::string& output_;
  const FitRunOptions& options_;
  uint64_t overhead_ = 0;
  std::vector<Point> tried_;
  bool exhausted_ = false;
  int fits_ = 0;
};

}  // namespace

absl::StatusOr<FitRun> RunFit(FileSystem& file_system, const FitInput& input, const std::string& output,
                              const FitRunOptions& options) {
  if (options.budget == 0 || !(options.tolerance > 0) || options.tolerance >= 1 || !(options.lambda >= 0)) {
    return absl::InvalidArgumentError("a budget, tolerance or lambda out of range");
  }
  const absl::StatusOr<WorkFolder> work = WorkFolder::Open(file_system, options.work_folder);
  if (!work.ok()) return work.status();
  const absl::StatusOr<Fitter> fitter = Fitter::Create(&input, options.fit, &*work);
  if (!fitter.ok()) return fitter.status();
  absl::StatusOr<FitRun> run = Search(file_system, input, *fitter, output, options).Run();
  if (run.ok() && !options.keep_work_folder) work->Remove();
  return run;
}

}  // namespace modelvault
