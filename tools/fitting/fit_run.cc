#include "tools/fitting/fit_run.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "codec/fit/search/price_search.h"
#include "tools/fitting/fit_curve.h"
#include "tools/fitting/int8_files.h"
#include "tools/packing/pack.h"
#include "tools/packing/work_folder.h"
#include "vault/file_paths.h"

namespace modelvault {
namespace {

constexpr int kMostFits = 20;
constexpr int kMostTrials = 10;
constexpr int kMostInVain = 2;
constexpr int kMostVaults = 6;
constexpr int kMostFillings = 12;
constexpr double kMuchLower = 0.4;  // Of the logarithm of a price.
constexpr double kNoLess = 0.999;   // Of the loss is left: a lower price that brings less is not worth looking on,
constexpr double kHardly = 0.5;     // unless it brings more than so much of what the bits that it took are worth.
constexpr double kSomeMore = 1e-3;  // Of the bits: so many may come and go with any price.
constexpr uint64_t kPadding = 64;
constexpr uint64_t kVariantOverhead = 90;  // Of a variant's index entry, name, header and frame: until it is known.
constexpr uint64_t kFixedOverhead = 2000;

// A variant's differences from the variants' mean, as far as a grid for the base's rows reaches.
std::vector<float> Differences(const FitTensor& tensor, const std::vector<float>& weights,
                               const std::vector<float>& mean) {
  const size_t cols = static_cast<size_t>(tensor.cols());
  std::vector<float> delta(weights.size());
  for (size_t row = 0; row < tensor.rows(); ++row) {
    float range = 0;
    for (size_t i = row * cols; i < (row + 1) * cols; ++i) {
      range = std::max(range, std::abs(tensor.base[i]));
    }
    if (range == 0) range = INFINITY;
    for (size_t i = row * cols; i < (row + 1) * cols; ++i) {
      delta[i] = std::clamp(weights[i] - mean[i], -range, range);
    }
  }
  return delta;
}

// Fits at one price after another. Sizes are packed bytes, with an overhead that real vaults correct.
class Search {
 public:
  Search(FileSystem& file_system, const FitInput& input, const Fitter& fitter, const WorkFolder& work,
         const FitRunOptions& options, uint64_t network_size)
      : file_system_(file_system), input_(input), fitter_(fitter), work_(work), options_(options) {
    overhead_ = kFixedOverhead + kVariantOverhead * input.variant_count() + network_size;
  }

  // Leaves the vault at vault_path().
  absl::StatusOr<FitRun> Run() {
    std::optional<FitRun> best;  // What vault_path() holds.
    uint64_t size = 0;
    // The real vault tells what the estimate left out; then the price may have to move once more.
    for (int i = 0; i < kMostVaults; ++i) {
      absl::StatusOr<FitRun> run = options_.lambda > 0 ? FitAll(options_.lambda) : FindPrice();
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
    if (!options_.curve.empty()) {
      absl::StatusOr<std::vector<CurvePoint>> curve = FitCurve(input_, fitter_, *best, overhead_, options_);
      if (!curve.ok()) return curve.status();
      best->curve = *std::move(curve);
    }
    if (options_.fit.keep_base && options_.fit.model.gain == 1) {
      absl::StatusOr<std::vector<LostRow>> lost = FindLostRows(input_, best->models, options_.fit.threads);
      if (!lost.ok()) return lost.status();
      best->lost_rows = *std::move(lost);
    }
    best->fits = fits_;
    best->trials = trials_;
    return *std::move(best);
  }

  std::string vault_path() const { return PathIn(work_.scratch(), "vault"); }

 private:
  // Of all variants; those that were not fitted take what the others take on average.
  uint64_t SizeOf(const FitRun& run) const {
    const PackedSize& size = run.size;
    const double variants = static_cast<double>(size.total() - size.base - size.model);
    return size.base + size.model + overhead_ +
           static_cast<uint64_t>(variants * static_cast<double>(input_.variant_count()) /
                                 static_cast<double>(size.variants.size()));
  }

  bool CouldUseMore(uint64_t size) const {
    return static_cast<double>(size) < (1 - options_.tolerance) * static_cast<double>(options_.budget);
  }

  // What all variants lose, by their weights; those that were not fitted as the others on average.
  double Loss(const FittedModels& models) const {
    const bool all = models.variants.size() == input_.variant_count();
    double loss = 0;
    for (size_t v = 0; v < models.variants.size(); ++v) {
      const std::string& name = input_.variant_name(all ? v : fitter_.sample()[v]);
      loss += options_.fit.WeightOf(name) * models.variants[v].remaining();
    }
    return loss * static_cast<double>(input_.variant_count()) / static_cast<double>(models.variants.size());
  }

  // Whether `run`, at a lower price than `best`, keeps no more that is worth its bytes. What no price could keep, as
  // the weights of a row beside one that is far larger, may be most of both losses.
  bool KeepsNoMore(const FitRun& run, const FitRun& best) const {
    const double loss = Loss(run.models), least_loss = Loss(best.models);
    const double size = static_cast<double>(SizeOf(run));
    const double bits = 8 * std::max(size - static_cast<double>(SizeOf(best)), kSomeMore * size);
    return loss > kNoLess * least_loss && least_loss - loss <= kHardly * run.lambda * bits;
  }

  absl::Status OverBudget(uint64_t size) const {
    if (options_.lambda > 0) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "at ", options_.lambda, " a bit (--lambda) the base and ", input_.variant_count(), " variants take ", size,
          " bytes; the budget is ", options_.budget, "; without --lambda a price that fits is looked for"));
    }
    return absl::ResourceExhaustedError(absl::StrCat("the base and the least of ", input_.variant_count(),
                                                     " variants take ", size, " bytes; the budget is ",
                                                     options_.budget));
  }

  absl::StatusOr<FitRun> FitAll(double lambda) {
    ++fits_;
    return Measured(lambda, fitter_.Fit(lambda, Progress(absl::StrCat("fit ", fits_))));
  }

  absl::StatusOr<FitRun> FitSample(double lambda) {
    ++trials_;
    return Measured(lambda, fitter_.FitSample(lambda, Progress(absl::StrCat("trial ", trials_))));
  }

  ProgressFunction Progress(std::string stage) const {
    return [this, stage = std::move(stage)](absl::string_view, uint64_t done, uint64_t total) {
      ReportProgress(options_.progress, stage, done, total);
    };
  }

  absl::StatusOr<FitRun> Measured(double lambda, absl::StatusOr<FittedModels> models) const {
    if (!models.ok()) return models.status();
    FitRun run;
    run.lambda = lambda;
    run.models = *std::move(models);
    absl::StatusOr<PackedSize> size =
        MeasurePackedSize(input_.tensors(), run.models, options_.profile, options_.fit.threads);
    if (!size.ok()) return size.status();
    run.size = *std::move(size);
    return run;
  }

  // A guess: half of what dropping all costs is what all bits of the budget are worth.
  absl::StatusOr<double> FirstLambda() const {
    double signal = 0;
    double count = 0;
    for (size_t v = 0; v < input_.variant_count(); v += std::max<size_t>(1, input_.variant_count() / 8)) {
      const absl::StatusOr<Weights> weights = input_.ReadVariant(v);
      if (!weights.ok()) return weights.status();
      for (size_t t = 0; t < weights->size(); ++t) {
        const FitTensor& tensor = input_.tensors()[t];
        const std::vector<float> delta = Differences(tensor, (*weights)[t], input_.mean()[t]);
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

  absl::StatusOr<FitRun> FindPrice() {
    if (begin_ == 0) {
      const absl::StatusOr<double> first = FirstLambda();
      if (!first.ok()) return first.status();
      begin_ = *first;
      // Fits of a few variants come near the price at little cost. Where they end does not matter to what all need.
      if (fitter_.sample().size() < input_.variant_count()) {
        const absl::StatusOr<FitRun> near = FindPrice(kMostTrials, [&](double lambda) { return FitSample(lambda); });
        if (near.ok()) begin_ = near->lambda;
        if (!near.ok() && !absl::IsResourceExhausted(near.status())) return near.status();
      }
    }
    absl::StatusOr<FitRun> run = FindPrice(kMostFits, [&](double lambda) { return FitAll(lambda); });
    if (run.ok() && in_vain_ == kMostInVain) return Saturated(*std::move(run));
    return run;
  }

  // What fits the budget, by the estimate, and loses least: mostly, not always, the largest.
  absl::StatusOr<FitRun> FindPrice(int most, const std::function<absl::StatusOr<FitRun>(double)>& fit) {
    PriceSearch search(std::log(begin_), static_cast<double>(options_.budget) * (1 - options_.tolerance / 2), slope_);
    std::optional<FitRun> best;
    double least_loss = 0;
    in_vain_ = 0;
    uint64_t size = 0;
    for (int i = 0; i < most; ++i) {
      const double at = search.at();
      absl::StatusOr<FitRun> run = fit(std::exp(at));
      if (!run.ok()) return run.status();
      size = SizeOf(*run);
      uint64_t differing = 0;
      for (const FittedVariant& variant : run->models.variants) differing += variant.nonzeros();
      const bool fits = size <= options_.budget;
      if (fits) {
        const double loss = Loss(run->models);
        const bool lower = best.has_value() && at < std::log(best->lambda) - kMuchLower;
        in_vain_ = lower && KeepsNoMore(*run, *best) ? in_vain_ + 1 : 0;
        const bool better = !best.has_value() || loss < least_loss;
        if (better) {
          best = *std::move(run);
          least_loss = loss;
        }
        best->saturated = !CouldUseMore(size) && !better;
        if (in_vain_ == kMostInVain || !CouldUseMore(size)) break;
      }
      const bool other = search.Move(static_cast<double>(size), fits);
      slope_ = search.slope();
      // A higher price that saves nothing more: that is the base, and variants like it.
      if (!other || (differing == 0 && search.SavesNothing())) break;
    }
    if (best.has_value()) return *std::move(best);
    return OverBudget(size);
  }

  // There is room for more, but it would keep no more: what keeps most lies around the price that was the best so far.
  absl::StatusOr<FitRun> Saturated(FitRun best) {
    double least_loss = Loss(best.models);
    for (double distance = 2; distance > 0.3; distance /= 2) {
      for (const double sign : {-1.0, 1.0}) {
        absl::StatusOr<FitRun> run = FitAll(best.lambda * std::exp(sign * distance));
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
      absl::StatusOr<FitRun> filled =
          Measured(std::exp(at), fitter_.FitVariants(start, std::exp(at), Progress("fill")));
      if (!filled.ok()) return filled.status();
      if (SizeOf(*filled) > options_.budget) {
        fits_not = at;
        continue;
      }
      const double loss = Loss(filled->models);
      const bool lower = at < fits - kMuchLower;
      fits = at;
      if (lower && KeepsNoMore(*filled, run)) break;
      if (loss >= least_loss) continue;
      least_loss = loss;
      run = *std::move(filled);
    }
    return run;
  }

  // In the work folder, so that what a killed run leaves of it goes with the folder.
  absl::Status Pack(FitRun* run) {
    const std::string models = PathIn(work_.scratch(), "models");
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
    pack.profile = options_.profile;
    pack.threads = options_.fit.threads;
    pack.durability = Durability::kNone;
    pack.progress = options_.progress;
    pack.network = options_.network;
    // A vault over the budget must not take the place of one that is within it.
    const std::string next = vault_path() + ".next";
    const absl::StatusOr<PackReport> report = PackVault(file_system_, files->base, files->variants, next, pack);
    if (!report.ok()) return report.status();
    const absl::Status status =
        report->bytes.file <= options_.budget ? file_system_.Move(next, vault_path()) : file_system_.Remove(next);
    if (!status.ok()) return status;
    run->vault_size = report->bytes.file;
    run->profile = report->profile.value_or(ProfileBill());
    run->stored_sizes.clear();
    for (const PackedVariant& v : report->variants) run->stored_sizes.push_back(v.stored_size);
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
  double slope_ = PriceSearch::kSlope;
  int fits_ = 0, trials_ = 0;
  // Of a search, at last and one after the other: prices much lower than the best one's, that fit and keep no more.
  int in_vain_ = 0;
};

// Gives the vault at `from` its name. `replaces`: something had it, and is locked.
absl::Status Publish(FileSystem& file_system, const std::string& from, const std::string& output, bool replaces) {
  const absl::Status status = file_system.Copy(from, output, replaces ? Overwrite::kAllowed : Overwrite::kNever);
  if (!absl::IsAborted(status)) return status;
  return absl::AbortedError(
      absl::StrCat(status.message(), "; the same command goes on from the work folder and replaces it"));
}

absl::StatusOr<FitRun> RunFitIn(FileSystem& file_system, const WorkFolder& work, const FitInput& input,
                                const std::string& output, const FitRunOptions& options, uint64_t network_size) {
  // Held to the end: what others did to the vault meanwhile would be lost.
  const absl::StatusOr<bool> replaces = file_system.Exists(output);
  if (!replaces.ok()) return replaces.status();
  absl::StatusOr<std::unique_ptr<FileLock>> lock = std::unique_ptr<FileLock>();
  if (*replaces) lock = file_system.Lock(output);
  if (!lock.ok()) return lock.status();
  const absl::StatusOr<Fitter> fitter = Fitter::Create(&input, options.fit, &work);
  if (!fitter.ok()) return fitter.status();
  Search search(file_system, input, *fitter, work, options, network_size);
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
  std::string network;
  if (options.network.has_value()) {
    absl::StatusOr<std::string> built =
        BuildNetwork(*options.network, ExportedTensors(input.tensors(), input.carried()), "the fitted models");
    if (!built.ok()) return built.status();
    network = *std::move(built);
  }
  if (!options.export_folder.empty()) {
    if (absl::Status status = CheckInt8Folder(file_system, input, options.export_folder); !status.ok()) return status;
  }
  if (absl::Status status = file_system.TryOutput(output); !status.ok()) return status;
  const absl::StatusOr<WorkFolder> work = WorkFolder::Open(
      file_system, options.work_folder.empty() ? absl::StrCat(output, ".fit-work") : options.work_folder, WorkOf::kFit);
  if (!work.ok()) return work.status();
  absl::StatusOr<FitRun> run = RunFitIn(file_system, *work, input, output, options, network.size());
  if (!run.ok()) {
    work->RemoveIfEmpty();
  } else if (!options.keep_work_folder) {
    work->Remove();
  }
  return run;
}

}  // namespace modelvault
