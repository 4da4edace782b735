// A stand-in for the emulator, the firmware and the plugin, so that `mvault board` is tested where none of them is
// there, and with boards that lie.
#ifndef MODELVAULT_TESTS_TOOLS_MVAULT_BOARD_FAKE_BOARD_H_
#define MODELVAULT_TESTS_TOOLS_MVAULT_BOARD_FAKE_BOARD_H_

#include <map>
#include <string>
#include <vector>

#include "tests/temp_folder.h"

namespace modelvault {

// Answers with the hashes it is given, and with counts that are the same for every model: see kFakeCounts.
class FakeBoard {
 public:
  // XXH64 by name, as `mvault ls` has them; "base" for the base.
  explicit FakeBoard(const std::map<std::string, std::string>& hashes);

  // What the emulator does after it has written its counts: shell commands that see $name (the model's), $hash and $out
  // (the plugin's file). The default prints the line of a good run and exits with 0.
  void SetBehaviour(const std::string& commands) const;

  // What the emulator says to --version; nothing, and a failure, unless this is called.
  void SetVersion(const std::string& text) const;

  // --emulator, --firmware and, if wanted, --plugin.
  std::vector<std::string> Options(bool with_plugin = true) const;

  const TempFolder& folder() const { return folder_; }

 private:
  TempFolder folder_;
};

// The default behaviour.
extern const char kFakeBehaviour[];

// The plugin's report, in cycles: open 1,000 + 200 data + 300 fetch; verify: decode 20,000 + 5,000 + 100, hash 4,000,
// else 60 + 0 + 40; use: the same, and decode 100 more; start-up 7,000.
extern const char kFakeCounts[];

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_TOOLS_MVAULT_BOARD_FAKE_BOARD_H_
