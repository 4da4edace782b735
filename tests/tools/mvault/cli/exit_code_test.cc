#include "tools/mvault/cli/exit_code.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"

namespace modelvault {
namespace {

TEST(ExitCodeTest, EveryKindOfErrorHasItsNumber) {
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::OkStatus())), 0);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::InvalidArgumentError(""))), 3);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::DataLossError(""))), 3);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::ResourceExhaustedError(""))), 4);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::UnavailableError(""))), 5);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::AbortedError(""))), 6);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::NotFoundError(""))), 7);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::AlreadyExistsError(""))), 8);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::UnimplementedError(""))), 9);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::PermissionDeniedError(""))), 11);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::InternalError(""))), 70);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::UnknownError(""))), 70);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::FailedPreconditionError(""))), 70);
}

}  // namespace
}  // namespace modelvault
