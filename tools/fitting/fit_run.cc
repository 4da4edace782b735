#include "tools/fitting/fit_run.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tools/fitting/int8_files.h"
#include "tools/fitting/work_folder.h"
#include "tools/packing/pack.h"

namespace modelvault {
namespace {

namespace fs = std::filesystem;

constexpr int kMostFits = 20;
constexpr int kMostInVain = 2;
constexpr int kMostVaults = 6;
constexpr int kMostFillings = 12;
constexpr double kNarrow = 1e-3;    // Prices so near each other are one.
constexpr double kMuchLower = 0.4;  // Of the logarithm of a price.
constexpr double kNoLess = 0.999;   // Of the loss is left: a lower price that brings less is not worth looking on.
constexpr uint64_t kPadding = 64;
constexpr double kSlope = -0.6;            // Of log size over log lambda: the first guess.
constexpr uint64_t kVariantOverhead = 90;  // Of a variant's index entry, name, header and frame: until it is known.
constexpr uint64_t kFixedOverhead = 2000;

// Fits at one price after another. Sizes are packed bytes, with an overhead that real vaults correct.
class Search {
 public:
  Search(FileSystem& file_system, const FitInput& input, const Fitter& fitter, const WorkFolder& work,
         const FitRunOptions& options)
      : file_system_(file_system), input_(input), fitter_(fitter), work_(work), options_(options) {
    overhead_ = kFixedOverhead + kVariantOverhead * input.variant_count();
  }

  // Leaves the vault at vault_path().
  absl::StatusOr<FitRun> Run() {
    std::optional<FitRun> best;  // What vault_path() holds.
    uint64_t size = 0;
    // The real vault tells what the estimate left out; then the price may have to move once more.
    for (int i = 0; i < kMostVaults; ++i) {
      absl::StatusOr<FitRun> run = options_.lambda > 0 ? Fit(options_.lambda) : FindPrice();
      if (run.ok() && options_.lambda == 0) run = Fill(*std::move(run));
      if (!run.ok()) return run.status();
      if (absl::Status status = Pack(&*run); !status.ok()) return status;
      size = run->vault_size;
      const bool fits = size <= options_.budget;
      const bool searched = overhead_known_ && CouldUseMore(SizeOf(*run));  // To no avail.
      // Padding varies by some bytes from one vault to the next.
      overhead_ = size - run->size.total() + (overhead_known_ && !fits ? kPadding : 0);
      overhead_known_ = true;
      begin_ = run->lambda;
      if (fits) best = *std::move(run);
      if (options_.lambda > 0 || (fits && (searched || !CouldUseMore(size)))) break;
    }
    if (!best.has_value()) return OverBudget(size);
    if (!options_.export_folder.empty()) {
      const absl::StatusOr<Int8Files> files =
          WriteInt8Files(file_system_, input_, best->models, options_.export_folder, Durability::kOnDisk);
      if (!files.ok()) return files.status();
    }
    if (absl::Status status = AddCurve(&*best); !status.ok()) return status;
    best->fits = fits_;
    return *std::move(best);
  }

  std::string vault_path() const { return (fs::path(work_.scratch()) / "vault").string(); }

 private:
  struct Point {
    double log_lambda;
    double log_size;
  };

  uint64_t SizeOf(const FitRun& run) const { return run.size.total() + overhead_; }

  bool CouldUseMore(uint64_t size) const {
    return static_cast<double>(size) < (1 - options_.tolerance) * static_cast<double>(options_.budget);
  }

  // What the variants lose, by their weights.
  double Loss(const FittedModels& models) const {
    double loss = 0;
    for (size_t v = 0; v < models.variants.size(); ++v) {
      const auto weight = options_.fit.weights.find(input_.variant_name(v));
      loss += (weight == options_.fit.weights.end() ? 1 : weight->second) * models.variants[v].remaining();
    }
    return loss;
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
    absl::StatusOr<FittedModels> models = fitter_.Fit(lambda, [&](absl::string_view, uint64_t done, uint64_t total) {
      ReportProgress(options_.progress, absl::StrCat("fit ", fits_), done, total);
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
    if (begin_ > 0) return begin_;
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

  // The vault that fits, by the estimate, and loses least: mostly, not always, the largest. The secant in logarithms,
  // and once a price that fits and one that does not are known, in turns with halving what lies between them, because
  // sizes may jump.
  absl::StatusOr<FitRun> FindPrice() {
    const absl::StatusOr<double> first = FirstLambda();
    if (!first.ok()) return first.status();
    const double aim = std::log(static_cast<double>(options_.budget) * (1 - options_.tolerance / 2));
    double at = std::log(*first);
    std::optional<FitRun> best;
    double least_loss = 0;
    int in_vain = 0;  // Prices so far, one after the other, much lower than the best one's, that fit and keep no more.
    std::optional<Point> below, above, last;  // Of the budget; before this.
    double slope = kSlope;
    for (int i = 0; i < kMostFits; ++i) {
      absl::StatusOr<FitRun> run = Fit(std::exp(at));
      if (!run.ok()) return run.status();
      const uint64_t size = SizeOf(*run);
      const Point point{at, std::log(static_cast<double>(size))};
      uint64_t differing = 0;
      for (const FittedVariant& variant : run->models.variants) differing += variant.nonzeros();
      if (size <= options_.budget) {
        const double loss = Loss(run->models);
        const bool lower = best.has_value() && at < std::log(best->lambda) - kMuchLower;
        in_vain = lower && loss > kNoLess * least_loss ? in_vain + 1 : 0;
        const bool better = !best.has_value() || loss < least_loss;
        if (!below.has_value() || point.log_size >= below->log_size) below = point;
        if (better) {
          best = *std::move(run);
          least_loss = loss;
        }
        if (in_vain == kMostInVain) return Saturated(*std::move(best));
        if (!CouldUseMore(size)) {
          best->saturated = !better;
          return *std::move(best);
        }
      } else {
        // A higher price that saves nothing more: that is the base, and variants like it.
        if (differing == 0 && above.has_value() && point.log_size >= above->log_size) return OverBudget(size);
        above = point;
      }
      if (last.has_value() && std::abs(point.log_lambda - last->log_lambda) > 1e-6) {
        const double measured = (point.log_size - last->log_size) / (point.log_lambda - last->log_lambda);
        slope = std::clamp(measured, -2.0, -0.05);
      }
      last = point;
      if (below.has_value() && above.has_value()) {
        const double gap = below->log_lambda - above->log_lambda;
        if (std::abs(gap) < kNarrow) break;
        const double share = (above->log_size - aim) / (above->log_size - below->log_size);
        at = above->log_lambda + gap * (i % 2 == 0 ? std::clamp(share, 0.05, 0.95) : 0.5);
      } else {
        // A little further, to have it between two prices.
        at += std::clamp((aim - point.log_size) / slope * 1.1, -4.0, 4.0);
      }
    }
    if (best.has_value()) return *std::move(best);
    return OverBudget(static_cast<uint64_t>(std::exp(above->log_size)));
  }

  // There is room for more, but it would keep no more: what keeps most lies around the price that was the best so far.
  absl::StatusOr<FitRun> Saturated(FitRun best) {
    double least_loss = Loss(best.models);
    for (double distance = 2; distance > 0.3; distance /= 2) {
      for (const double sign : {-1.0, 1.0}) {
        absl::StatusOr<FitRun> run = Fit(best.lambda * std::exp(sign * distance));
        if (!run.ok()) return run.status();
        if (SizeOf(*run) > options_.budget || Loss(run->models) >= least_loss) continue;
        least_loss = Loss(run->models);
        best = *std::move(run);
        break;
      }
    }
    best.saturated = true;
    return best;
  }

  // Steps of the grid and scales are whole, so sizes jump where all of them change at once. What a jump left of the
  // budget goes to the variants, their base as it is.
  absl::StatusOr<FitRun> Fill(FitRun run) {
    if (!CouldUseMore(SizeOf(run))) return run;
    const FittedModels start = run.models;
    double fits = std::log(run.lambda);
    double fits_not = fits - 2;
    double least_loss = Loss(start);
    for (int i = 0; i < kMostFillings && !run.saturated && CouldUseMore(SizeOf(run)); ++i) {
      const double at = (fits + fits_not) / 2;
      absl::StatusOr<FittedModels> models =
          fitter_.FitVariants(start, std::exp(at), [&](absl::string_view, uint64_t done, uint64_t total) {
            ReportProgress(options_.progress, "fill", done, total);
          });
      if (!models.ok()) return models.status();
      absl::StatusOr<PackedSize> size = MeasurePackedSize(input_.tensors(), *models, options_.fit.threads);
      if (!size.ok()) return size.status();
      if (size->total() + overhead_ > options_.budget) {
        fits_not = at;
        continue;
      }
      const double loss = Loss(*models);
      const bool lower = at < fits - kMuchLower;
      fits = at;
      const bool in_vain = lower && loss > kNoLess * least_loss;
      if (in_vain) break;
      if (loss >= least_loss) continue;
      least_loss = loss;
      run.models = *std::move(models);
      run.size = *std::move(size);
      run.lambda = std::exp(at);
    }
    return run;
  }

  // In the work folder, so that what a killed run leaves of it goes with the folder.
  absl::Status Pack(FitRun* run) {
    const std::string models = (fs::path(work_.scratch()) / "models").string();
    absl::Status status = file_system_.RemoveTree(models);  // Of a run that was killed.
    if (status.ok()) status = WriteAndPack(models, run);
    file_system_.RemoveTree(models).IgnoreError();
    return status;
  }

  absl::Status WriteAndPack(const std::string& models, FitRun* run) {
    const absl::StatusOr<Int8Files> files =
        WriteInt8Files(file_system_, input_, run->models, models, Durability::kNone);
    if (!files.ok()) return files.status();
    PackOptions pack;
    pack.threads = options_.fit.threads;
    pack.durability = Durability::kNone;
    pack.progress = options_.progress;
    // A vault over the budget must not take the place of one that is within it.
    const std::string next = vault_path() + ".next";
    const absl::StatusOr<PackReport> report = PackVault(file_system_, files->base, files->variants, next, pack);
    if (!report.ok()) return report.status();
    const absl::Status status =
        report->bytes.file <= options_.budget ? file_system_.Move(next, vault_path()) : file_system_.Remove(next);
    if (!status.ok()) return status;
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
          other = fitter_.FitVariants(run->models, lambda, [&](absl::string_view, uint64_t done, uint64_t total) {
            ReportProgress(options_.progress, "rate and distortion", done, total);
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
  const WorkFolder& work_;
  const FitRunOptions& options_;
  uint64_t overhead_ = 0;
  bool overhead_known_ = false;  // From a real vault.
  double begin_ = 0;             // Where the search for a price begins; 0: a guess.
  int fits_ = 0;
};

// Gives the vault at `from` its name. `replaces`: something had it, and is locked.
absl::Status Publish(FileSystem& file_system, const std::string& from, const std::string& output, bool replaces) {
  if (!replaces) {
    const absl::StatusOr<bool> exists = file_system.Exists(output);
    if (!exists.ok()) return exists.status();
    if (*exists) {
      return absl::AbortedError(absl::StrCat(output,
                                             ": another program made it while this fit ran; the same command "
                                             "goes on from the work folder and replaces it"));
    }
  }
  return file_system.Copy(from, output);
}

absl::StatusOr<FitRun> RunFitIn(FileSystem& file_system, const WorkFolder& work, const FitInput& input,
                                const std::string& output, const FitRunOptions& options) {
  // Held to the end: what others did to the vault meanwhile would be lost.
  const absl::StatusOr<bool> replaces = file_system.Exists(output);
  if (!replaces.ok()) return replaces.status();
  absl::StatusOr<std::unique_ptr<FileLock>> lock = std::unique_ptr<FileLock>();
  if (*replaces) lock = file_system.Lock(output);
  if (!lock.ok()) return lock.status();
  const absl::StatusOr<Fitter> fitter = Fitter::Create(&input, options.fit, &work);
  if (!fitter.ok()) return fitter.status();
  Search search(file_system, input, *fitter, work, options);
  absl::StatusOr<FitRun> run = search.Run();
  if (!run.ok()) return run;
  absl::Status status = Publish(file_system, search.vault_path(), output, *replaces);
  if (!status.ok()) return status;
  return run;
}

}  // namespace

absl::StatusOr<FitRun> RunFit(FileSystem& file_system, const FitInput& input, const std::string& output,
                              const FitRunOptions& options) {
  if (options.budget == 0 || !(options.tolerance > 0) || options.tolerance >= 1 || !(options.lambda >= 0)) {
    return absl::InvalidArgumentError("a budget, tolerance or lambda out of range");
  }
  // All of this better now than after hours.
  if (!options.export_folder.empty()) {
    if (absl::Status status = CheckInt8Folder(file_system, input, options.export_folder); !status.ok()) return status;
  }
  if (absl::Status status = file_system.TryOutput(output); !status.ok()) return status;
  const absl::StatusOr<WorkFolder> work = WorkFolder::Open(
      file_system, options.work_folder.empty() ? absl::StrCat(output, ".fit-work") : options.work_folder);
  if (!work.ok()) return work.status();
  absl::StatusOr<FitRun> run = RunFitIn(file_system, *work, input, output, options);
  if (!run.ok()) {
    work->RemoveIfEmpty();
  } else if (!options.keep_work_folder) {
    work->Remove();
  }
  return run;
}

}  // namespace modelvault
