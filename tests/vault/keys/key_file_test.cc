#include "vault/keys/key_file.h"

#include <errno.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/strings/escaping.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "vault/hex_text.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

SecretBytes Seed(uint8_t first) {
  SecretBytes seed(kKeySize);
  for (size_t i = 0; i < seed.size(); ++i) seed.data()[i] = static_cast<uint8_t>(first + i);
  return seed;
}

mode_t ModeOf(const std::string& path) {
  struct stat info = {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0);
  return info.st_mode & 07777;
}

class KeyFileTest : public testing::Test {
 protected:
  KeyFileTest() {
    const SecretBytes seed = Seed(1);
    EXPECT_THAT(WriteKeyFile(secret_, KeyKind::kSigningSecret, {seed.data(), seed.size()}), IsOk());
    EXPECT_THAT(WriteKeyFile(public_, KeyKind::kSigningPublic, SigningKey(seed).public_key()), IsOk());
  }

  const TempFolder folder_;
  const std::string secret_ = folder_.File("a.key");
  const std::string public_ = folder_.File("a.pub");
};

TEST_F(KeyFileTest, WhatIsWrittenIsRead) {
  EXPECT_EQ(ModeOf(secret_), 0600u);
  ASSERT_OK_AND_ASSIGN(const SigningKey key, ReadSigningKey(secret_));
  ASSERT_OK_AND_ASSIGN(const PublicKey public_key, ReadPublicKey(public_, KeyKind::kSigningPublic));
  EXPECT_EQ(key.public_key(), public_key);
  EXPECT_EQ(KeyId(public_key), absl::BytesToHexString(std::string(public_key.begin(), public_key.begin() + 8)));
}

// RFC 8032 §7.1, TEST 2.
TEST_F(KeyFileTest, SignsAsTheStandardDoes) {
  const std::string seed = absl::HexStringToBytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
  SecretBytes bytes(kKeySize);
  std::copy(seed.begin(), seed.end(), bytes.data());
  const SigningKey key(bytes);
  EXPECT_EQ(HexText(key.public_key()), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  const Signature signature = key.Sign("\x72");
  EXPECT_EQ(absl::BytesToHexString(std::string(signature.begin(), signature.end())),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
}

TEST_F(KeyFileTest, NothingIsEverOverwritten) {
  const std::string before = folder_.Read("a.key");
  const SecretBytes other = Seed(2);
  EXPECT_THAT(WriteKeyFile(secret_, KeyKind::kSigningSecret, {other.data(), other.size()}),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr(secret_)));
  EXPECT_EQ(folder_.Read("a.key"), before);
  // Not through a link either that leads nowhere yet.
  std::filesystem::create_symlink(folder_.File("elsewhere"), folder_.File("link"));
  EXPECT_THAT(WriteKeyFile(folder_.File("link"), KeyKind::kSigningSecret, {other.data(), other.size()}),
              StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_FALSE(std::filesystem::exists(folder_.File("elsewhere")));
}

TEST_F(KeyFileTest, ASecretThatOthersMayUseIsRefusedAndHowToMendItSaid) {
  for (const mode_t mode : {0644u, 0640u, 0620u, 0610u, 0604u, 0602u, 0601u, 0666u}) {
    ASSERT_EQ(::chmod(secret_.c_str(), mode), 0);
    EXPECT_THAT(ReadSigningKey(secret_),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr(secret_), HasSubstr(absl::StrCat("mode 0", absl::Hex(mode >> 6))),
                               HasSubstr("chmod 600"))));
  }
  for (const mode_t mode : {0600u, 0400u, 0700u}) {
    ASSERT_EQ(::chmod(secret_.c_str(), mode), 0);
    EXPECT_THAT(ReadSigningKey(secret_), IsOk());
  }
}

// What opens is somebody else's.
class OthersFiles : public SystemCalls {
 public:
  explicit OthersFiles(uid_t owner) : owner_(owner) {}
  int StatOpen(int fd, struct stat* out) override {
    const int result = SystemCalls::StatOpen(fd, out);
    out->st_uid = owner_;
    return result;
  }

 private:
  const uid_t owner_;
};

TEST_F(KeyFileTest, ASecretOfAnotherUserIsRefused) {
  OthersFiles others(::geteuid() + 1);
  EXPECT_THAT(ReadSigningKey(secret_, others), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("another user")));
  EXPECT_THAT(ReadPublicKey(public_, KeyKind::kSigningPublic, others), IsOk());
  OthersFiles roots(0);
  EXPECT_THAT(ReadSigningKey(secret_, roots), IsOk());
}

TEST_F(KeyFileTest, ASecretBehindALinkIsRefused) {
  std::filesystem::create_symlink(secret_, folder_.File("link.key"));
  std::filesystem::create_symlink(public_, folder_.File("link.pub"));
  EXPECT_THAT(ReadSigningKey(folder_.File("link.key")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("symbolic link")));
  EXPECT_THAT(ReadPublicKey(folder_.File("link.pub"), KeyKind::kSigningPublic), IsOk());
}

TEST_F(KeyFileTest, TheOtherKeyOfAPairIsCalledWhatItIs) {
  EXPECT_THAT(ReadSigningKey(public_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("expected a secret signing key (Ed25519), found a public signing key")));
  EXPECT_THAT(ReadPublicKey(secret_, KeyKind::kSigningPublic),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found a secret signing key")));
  EXPECT_THAT(ReadSecretKey(secret_, KeyKind::kDeviceSecret),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected a device group's secret key")));
  EXPECT_THAT(ReadSecretKey(secret_, KeyKind::kContentSecret),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected a tenant's content key")));
}

TEST_F(KeyFileTest, WhatIsNoFileOfAKeyIsRefused) {
  EXPECT_THAT(ReadSigningKey(folder_.File("none.key")), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(ReadSigningKey(folder_.path()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is a directory")));
  ASSERT_EQ(::mkfifo(folder_.File("pipe").c_str(), 0600), 0);
  EXPECT_THAT(ReadSigningKey(folder_.File("pipe")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not a regular file")));
  EXPECT_THAT(ReadSigningKey(folder_.Write("large", std::string(5000, '\n'))),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("5000 bytes")));
  EXPECT_THAT(ReadSigningKey(folder_.Write("empty", "")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no key")));
}

// Fails the nth call of those that make a file.
class FailingWrites : public SystemCalls {
 public:
  explicit FailingWrites(int nth) : left_(nth) {}
  int Open(const std::string& path, int flags, mode_t mode) override {
    return Fails() ? -1 : SystemCalls::Open(path, flags, mode);
  }
  ssize_t WriteAt(int fd, const void* data, size_t size, off_t offset) override {
    // One byte at a time: what is left is written by another call.
    return Fails() ? -1 : SystemCalls::WriteAt(fd, data, size > 100 ? size - 1 : size, offset);
  }
  int Sync(int fd) override { return Fails() ? -1 : SystemCalls::Sync(fd); }
  int SyncDirectory(const std::string& path) override { return Fails() ? -1 : SystemCalls::SyncDirectory(path); }
  int left() const { return left_; }

 private:
  bool Fails() {
    if (--left_ != 0) return false;
    errno = EIO;
    return true;
  }
  int left_;
};

TEST_F(KeyFileTest, AKeyThatCannotBeWrittenLeavesNoFile) {
  const TempFolder folder;
  const SecretBytes seed = Seed(3);
  int failures = 0;
  for (int nth = 1;; ++nth) {
    FailingWrites calls(nth);
    const absl::Status status =
        WriteKeyFile(folder.File("b.key"), KeyKind::kSigningSecret, {seed.data(), seed.size()}, calls);
    if (calls.left() > 0) {
      EXPECT_THAT(status, IsOk());
      break;
    }
    ++failures;
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("b.key")));
    EXPECT_THAT(folder.Names(), IsEmpty());
  }
  EXPECT_EQ(failures, 5);
  EXPECT_THAT(ReadSigningKey(folder.File("b.key")), IsOk());
}

}  // namespace
}  // namespace modelvault
