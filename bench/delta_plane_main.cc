// delta_plane: the input of `xz` in bench/compare, and the way back.

#include <optional>
#include <string>

#include "absl/strings/str_format.h"
#include "bench/delta_plane.h"
#include "bench/whole_file.h"
#include "tools/mvault/cli/command_line.h"

namespace modelvault::bench {
namespace {

int Fail(const absl::Status& status) {
  absl::FPrintF(stderr, "delta_plane: %s\n", status.message());
  return 1;
}

int Run(int argc, char** argv) {
  std::string base, variant, plane_path, differences_path;
  bool joining = false;
  const auto declare = [&](Command& program) {
    Command split = program.AddCommand("split", "Write the plane; prints what is in it as JSON");
    split.AddOption("BASE", &base, "The base's file").Required();
    split.AddOption("VARIANT", &variant, "The variant's file").Required();
    split.AddOption("PLANE", &plane_path, "The whole of it: enough for join").Required();
    split.AddOption("DIFFERENCES", &differences_path, "Only the packed trits, or the INT8 residuals").Required();
    Command join = program.AddCommand("join", "Write the variant's file");
    join.AddOption("BASE", &base, "The base's file").Required();
    join.AddOption("PLANE", &plane_path, "What split wrote").Required();
    join.AddOption("VARIANT", &variant, "The file to write").Required();
    join.OnParsed([&joining] { joining = true; });
  };
  const std::optional<int> exit_code = ParseCommandLine(
      "Splits a variant into a plain plane of differences from its base, and joins them again.", declare, argc, argv);
  if (exit_code.has_value()) return *exit_code;

  FileSystem& file_system = FileSystem::Default();
  if (joining) {
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
