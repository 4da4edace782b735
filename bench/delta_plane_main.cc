// delta_plane: the input of `xz` in bench/compare, and the way back.

#include <CLI/CLI.hpp>
#include <string>

#include "absl/strings/str_format.h"
#include "bench/delta_plane.h"
#include "bench/whole_file.h"

namespace modelvault::bench {
namespace {

int Fail(const absl::Status& status) {
  absl::FPrintF(stderr, "delta_plane: %s\n", status.message());
  return 1;
}

int Run(int argc, char** argv) {
  CLI::App app("Splits a variant into a plain plane of differences from its base, and joins them again.");
  app.require_subcommand(1);
  std::string base, variant, plane_path, differences_path;
  CLI::App* split = app.add_subcommand("split", "Write the plane; prints what is in it as JSON");
  split->add_option("BASE", base)->required();
  split->add_option("VARIANT", variant)->required();
  split->add_option("PLANE", plane_path, "The whole of it: enough for join")->required();
  split->add_option("DIFFERENCES", differences_path, "Only the packed trits, or the INT8 residuals")->required();
  CLI::App* join = app.add_subcommand("join", "Write the variant's file");
  join->add_option("BASE", base)->required();
  join->add_option("PLANE", plane_path)->required();
  join->add_option("VARIANT", variant)->required();
  CLI11_PARSE(app, argc, argv);

  FileSystem& file_system = FileSystem::Default();
  if (join->parsed()) {
    const absl::StatusOr<std::string> plane = ReadWholeFile(file_system, plane_path);
    if (!plane.ok()) return Fail(plane.status());
    const absl::StatusOr<std::string> file = JoinDeltaPlane(file_system, base, *plane);
    if (!file.ok()) return Fail(file.status());
    const absl::Status status = WriteWholeFile(variant, *file);
    return status.ok() ? 0 : Fail(status);
  }
  const absl::StatusOr<DeltaPlane> plane = MakeDeltaPlane(file_system, base, variant);
  if (!plane.ok()) return Fail(plane.status());
  absl::Status status = WriteWholeFile(plane_path, plane->bytes);
  if (status.ok()) {
    status = WriteWholeFile(differences_path, plane->bytes.substr(1, static_cast<size_t>(plane->difference_size)));
  }
  if (!status.ok()) return Fail(status);
  absl::PrintF(R"({"kind": "%s", "weights": %d, "differing": %d, "order0_bytes": %.1f})"
               "\n",
               plane->kind == PlaneKind::kTrits ? "trits" : "residuals", plane->weights, plane->differing,
               plane->order0_bytes);
  return 0;
}

}  // namespace
}  // namespace modelvault::bench

int main(int argc, char** argv) { return modelvault::bench::Run(argc, argv); }
