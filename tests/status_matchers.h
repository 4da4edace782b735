#ifndef MODELVAULT_TESTS_STATUS_MATCHERS_H_
#define MODELVAULT_TESTS_STATUS_MATCHERS_H_

// GoogleTest matchers for absl::Status and absl::StatusOr, which Debian's Abseil does not bring:
//   EXPECT_THAT(Parse(bytes), IsOk());
//   EXPECT_THAT(Parse(bytes), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("block 7")));
//   EXPECT_THAT(Count(bytes), IsOkAndHolds(Gt(3)));
//   ASSERT_OK_AND_ASSIGN(const Vault vault, Open(path));

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace modelvault {
namespace status_matchers_internal {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }

template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

class StatusIsMatcher {
 public:
  using is_gtest_matcher = void;

  StatusIsMatcher(testing::Matcher<absl::StatusCode> code, testing::Matcher<const std::string&> message)
      : code_(std::move(code)), message_(std::move(message)) {}

  template <typename S>
  bool MatchAndExplain(const S& value, testing::MatchResultListener* listener) const {
    const absl::Status& status = StatusOf(value);
    *listener << "which is " << status.ToString();
    return code_.Matches(status.code()) && message_.Matches(std::string(status.message()));
  }

  void DescribeTo(std::ostream* os) const { Describe(os, ""); }
  void DescribeNegationTo(std::ostream* os) const { Describe(os, "not: "); }

 private:
  void Describe(std::ostream* os, const char* prefix) const {
    *os << prefix << "has a status code that ";
    code_.DescribeTo(os);
    *os << " and a message that ";
    message_.DescribeTo(os);
  }

  testing::Matcher<absl::StatusCode> code_;
  testing::Matcher<const std::string&> message_;
};

class IsOkMatcher {
 public:
  using is_gtest_matcher = void;

  template <typename S>
  bool MatchAndExplain(const S& value, testing::MatchResultListener* listener) const {
    const absl::Status& status = StatusOf(value);
    if (!status.ok()) *listener << "which is " << status.ToString();
    return status.ok();
  }

  void DescribeTo(std::ostream* os) const { *os << "is OK"; }
  void DescribeNegationTo(std::ostream* os) const { *os << "is not OK"; }
};

template <typename Inner>
class IsOkAndHoldsMatcher {
 public:
  using is_gtest_matcher = void;

  explicit IsOkAndHoldsMatcher(Inner inner) : inner_(std::move(inner)) {}

  template <typename T>
  bool MatchAndExplain(const absl::StatusOr<T>& result, testing::MatchResultListener* listener) const {
    if (!result.ok()) {
      *listener << "which is " << result.status().ToString();
      return false;
    }
    *listener << "which holds " << testing::PrintToString(*result) << " ";
    return testing::SafeMatcherCast<const T&>(inner_).MatchAndExplain(*result, listener);
  }

  void DescribeTo(std::ostream* os) const { *os << "is OK and holds a value that matches"; }
  void DescribeNegationTo(std::ostream* os) const { *os << "is not OK or holds a value that does not match"; }

 private:
  Inner inner_;
};

}  // namespace status_matchers_internal

inline status_matchers_internal::IsOkMatcher IsOk() { return {}; }

template <typename Code, typename Message>
status_matchers_internal::StatusIsMatcher StatusIs(Code&& code, Message&& message) {
  return {testing::MatcherCast<absl::StatusCode>(std::forward<Code>(code)),
          testing::MatcherCast<const std::string&>(std::forward<Message>(message))};
}

template <typename Code>
status_matchers_internal::StatusIsMatcher StatusIs(Code&& code) {
  return StatusIs(std::forward<Code>(code), testing::_);
}

template <typename Inner>
status_matchers_internal::IsOkAndHoldsMatcher<std::decay_t<Inner>> IsOkAndHolds(Inner&& inner) {
  return status_matchers_internal::IsOkAndHoldsMatcher<std::decay_t<Inner>>(std::forward<Inner>(inner));
}

}  // namespace modelvault

#define MODELVAULT_CONCAT_INNER(a, b) a##b
#define MODELVAULT_CONCAT(a, b) MODELVAULT_CONCAT_INNER(a, b)
#define MODELVAULT_ASSERT_OK_AND_ASSIGN(result, declaration, ...)                 \
  auto result = (__VA_ARGS__);                                                    \
  ASSERT_TRUE(result.ok()) << #__VA_ARGS__ << ": " << result.status().ToString(); \
  declaration = *std::move(result)

// Fails the test unless the expression, an absl::StatusOr, is OK; else moves its value into `declaration`. A comma in
// `declaration` needs a type alias.
#define ASSERT_OK_AND_ASSIGN(declaration, ...) \
  MODELVAULT_ASSERT_OK_AND_ASSIGN(MODELVAULT_CONCAT(status_or_, __LINE__), declaration, __VA_ARGS__)

#endif  // MODELVAULT_TESTS_STATUS_MATCHERS_H_
