#include "tools/mvault/commands/vault_argument.h"

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tools/mvault/cli/command_options.h"
#include "vault/file_paths.h"
#include "vault/remote/open_url.h"

namespace modelvault {

void AddVaultArgument(Command* command, Session& session, std::string* vault) {
  command->AddOption("VAULT", vault, "The vault's file, or its URL: http, https or file").Required();
  AddCacheOptions(command, session);
}

void AddChangedVaultArgument(Command* command, std::string* vault) {
  command->AddOption("VAULT", vault, "The vault's file").Required().Check([](const std::string& text) {
    if (!IsUrl(text)) return std::string();
    return absl::StrCat(WithoutUserInfo(text), ": a vault behind a URL is read, not changed: download it");
  });
}

void AddCacheOptions(Command* command, Session& session) {
  command
      ->AddOption("--cache", &session.cache_folder,
                  "A folder that keeps what is read of URLs; default: MODELVAULT_CACHE, or none")
      .TypeName("DIR");
  AddSizeOption(command, "--cache-size", &session.cache_limit,
                "How large it may become; default: MODELVAULT_CACHE_SIZE, or 4GiB");
}

UrlOpener UrlOpenerOf(const Session& session) {
  return [&session](const std::string& url) -> absl::StatusOr<std::unique_ptr<RandomAccessFile>> {
    absl::StatusOr<RemoteOptions> options = RemoteOptions::FromEnvironment();
    if (!options.ok()) return options.status();
    if (!session.cache_folder.empty()) options->cache_folder = session.cache_folder;
    if (session.cache_limit.has_value()) options->cache_limit = *session.cache_limit;
    return OpenUrl(session.file_system, url, *options);
  };
}

}  // namespace modelvault
