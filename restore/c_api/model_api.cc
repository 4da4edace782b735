// mv_model_*: what is in models, and giving them back.
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <system_error>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "restore/c_api/failure.h"
#include "restore/c_api/handles.h"
#include "restore/c_api/include/modelvault/modelvault.h"
#include "restore/c_api/read_options.h"
#include "restore/c_api/versioned_structs.h"
#include "restore/model_output.h"
#include "vault/error_place.h"
#include "vault/file_system.h"

namespace modelvault {
namespace {

// Runs `work`, which is given the open model and the call's context, and adds to a failure where it happened. `tensor`
// is what the caller asked for, or null.
template <typename Work>
mv_code ModelCall(const mv_model* model, const char* tensor, mv_failure** failure, const Work& work) noexcept {
  FailureContext context;
  return Call(context, failure, [&] {
    if (absl::Status status = Required(model != nullptr, "model"); !status.ok()) return status;
    context.path = model->vault->path();
    context.variant = model->name();
    context.tensor = tensor != nullptr ? tensor : "";
    const absl::StatusOr<const OpenedModel*> opened = model->Open();
    if (!opened.ok()) return opened.status();
    absl::Status status = work(**opened, &context);
    const ErrorPlace place = PlaceOf(status);
    if (context.tensor.empty() && place.data_offset.has_value()) {
      context.tensor = (*opened)->TensorAt(*place.data_offset);
    }
    return status;
  });
}

// The same for work on the tensor `name`, which is given its number.
template <typename Work>
mv_code TensorCall(const mv_model* model, const char* name, mv_failure** failure, const Work& work) noexcept {
  return ModelCall(model, name, failure, [&](const OpenedModel& opened, FailureContext*) -> absl::Status {
    if (absl::Status status = Required(name != nullptr, "name"); !status.ok()) return status;
    const absl::StatusOr<size_t> tensor = opened.Find(name);
    return tensor.ok() ? work(opened, *tensor) : tensor.status();
  });
}

absl::Status FitsBuffer(const OpenedModel& opened, absl::string_view what, uint64_t needed, const void* buffer,
                        size_t size) {
  if (needed > size) {
    return absl::OutOfRangeError(
        absl::StrCat(opened.named().model->name(), ": ", what, " has ", needed, " bytes, the buffer has ", size));
  }
  return Required(buffer != nullptr || needed == 0, "buffer");
}

// Restores `size` bytes of the data section, which must lie within it, from `offset` on.
absl::Status RestoreData(const OpenedModel& opened, uint64_t offset, uint64_t size,
                         const mv_read_options* caller_options, const Delivery::Taker& take) {
  const absl::StatusOr<ReadOptions> options = ReadOptions::From(caller_options);
  if (!options.ok()) return options.status();
  Delivery delivery(&*options, size, take);
  RestoreOptions restore;
  restore.threads = options->threads();
  const VaultModel& model = *opened.named().model;
  const auto consumer = [&](uint64_t, absl::Span<const uint8_t> bytes) { return delivery.Put(bytes); };
  // Digests cover the whole section: where that is asked for, they say more than checksums do.
  const bool whole = offset == 0 && size == model.data_size();
  const absl::Status status =
      whole ? model.Restore(restore, consumer) : model.ReadRange(offset, offset + size, restore, consumer);
  return status.ok() ? delivery.Finish() : status;
}

absl::Status RestoreRange(const OpenedModel& opened, absl::string_view what, uint64_t of, uint64_t at, uint64_t offset,
                          uint64_t size, const mv_read_options* options, const Delivery::Taker& take) {
  if (offset > of || size > of - offset) {
    return absl::InvalidArgumentError(absl::StrCat(opened.named().model->name(), ": ", size, " bytes at offset ",
                                                   offset, " do not lie within ", what, ", which has ", of));
  }
  return RestoreData(opened, at + offset, size, options, take);
}

// Restores the model's file.
absl::Status RestoreFile(const OpenedModel& opened, const mv_read_options* caller_options,
                         const Delivery::Taker& take) {
  const absl::StatusOr<ReadOptions> options = ReadOptions::From(caller_options);
  if (!options.ok()) return options.status();
  const NamedModel& named = opened.named();
  Delivery delivery(&*options, named.file_size(), take);
  RestoreOptions restore;
  restore.threads = options->threads();
  const absl::Status status =
      named.RestoreFile(restore, [&](absl::Span<const uint8_t> bytes) { return delivery.Put(bytes); });
  return status.ok() ? delivery.Finish() : status;
}

absl::Status RestoreToPath(const OpenedModel& opened, const char* path, const mv_read_options* options,
                           FailureContext* context) {
  std::error_code error;
  if (std::filesystem::equivalent(path, std::string(context->path), error) && !error) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is the vault itself"));
  }
  const absl::string_view vault = context->path;
  context->path = path;  // Of what fails from here on.
  absl::StatusOr<ModelOutput> output = ModelOutput::Create(FileSystem::Default(), path, opened.named().files);
  if (!output.ok()) return output.status();
  context->path = vault;
  const absl::Status restored =
      RestoreFile(opened, options, [&](uint64_t, absl::Span<const uint8_t> bytes) -> absl::Status {
        absl::Status written = output->Append(bytes);
        if (!written.ok()) context->path = path;
        return written;
      });
  if (!restored.ok()) return restored;
  context->path = path;
  return output->Commit();
}

absl::Status CheckIndex(const FailureContext& context, absl::string_view what, size_t index, size_t count) {
  if (index < count) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(context.path, ": '", context.variant, "' has no ", what,
                                                 " with index ", index, ", there are ", count));
}

std::string TensorText(const OpenedModel& opened, size_t tensor) {
  return absl::StrCat("tensor '", opened.tensors()[tensor].name, "'");
}

}  // namespace
}  // namespace modelvault

using absl::Status;
using modelvault::Delivery;
using modelvault::FailureContext;
using modelvault::ModelCall;
using modelvault::ModelTensor;
using modelvault::OpenedModel;
using modelvault::Required;
using modelvault::TensorCall;

extern "C" {

void mv_model_free(mv_model* model) { delete model; }

mv_code mv_model_get_info(const mv_model* model, mv_model_info* info, mv_failure** failure) {
  FailureContext context;
  return modelvault::Call(context, failure, [&] {
    if (Status status = Required(model != nullptr, "model"); !status.ok()) return status;
    context.path = model->vault->path();
    context.variant = model->name();
    if (Status status = Required(info != nullptr, "info"); !status.ok()) return status;
    return modelvault::CopyToCaller(model->vault->InfoOf(model->position), "info", info);
  });
}

mv_code mv_model_sizes(const mv_model* model, uint64_t* file_size, uint64_t* data_size, mv_failure** failure) {
  return ModelCall(model, nullptr, failure, [&](const OpenedModel& opened, FailureContext*) {
    if (file_size != nullptr) *file_size = opened.named().file_size();
    if (data_size != nullptr) *data_size = opened.named().model->data_size();
    return absl::OkStatus();
  });
}

mv_code mv_model_format(const mv_model* model, const char** format, mv_failure** failure) {
  return ModelCall(model, nullptr, failure, [&](const OpenedModel& opened, FailureContext*) {
    if (Status status = Required(format != nullptr, "format"); !status.ok()) return status;
    *format = opened.named().format.c_str();
    return absl::OkStatus();
  });
}

mv_code mv_model_file_count(const mv_model* model, size_t* count, mv_failure** failure) {
  return ModelCall(model, nullptr, failure, [&](const OpenedModel& opened, FailureContext*) {
    if (Status status = Required(count != nullptr, "count"); !status.ok()) return status;
    *count = opened.named().files.size();
    return absl::OkStatus();
  });
}

mv_code mv_model_file_info(const mv_model* model, size_t index, mv_file_info* info, mv_failure** failure) {
  return ModelCall(model, nullptr, failure, [&](const OpenedModel& opened, FailureContext* context) {
    if (Status status = Required(info != nullptr, "info"); !status.ok()) return status;
    const std::vector<modelvault::FilePart>& files = opened.named().files;
    if (Status status = modelvault::CheckIndex(*context, "file", index, files.size()); !status.ok()) return status;
    const mv_file_info told = {sizeof(told), 0, files[index].path.c_str(), files[index].size};
    return modelvault::CopyToCaller(told, "info", info);
  });
}

mv_code mv_model_tensor_count(const mv_model* model, size_t* count, mv_failure** failure) {
  return ModelCall(model, nullptr, failure, [&](const OpenedModel& opened, FailureContext*) {
    if (Status status = Required(count != nullptr, "count"); !status.ok()) return status;
    *count = opened.tensors().size();
    return absl::OkStatus();
  });
}

mv_code mv_model_tensor_info(const mv_model* model, size_t index, mv_tensor_info* info, mv_failure** failure) {
  return ModelCall(model, nullptr, failure, [&](const OpenedModel& opened, FailureContext* context) {
    if (Status status = Required(info != nullptr, "info"); !status.ok()) return status;
    Status status = modelvault::CheckIndex(*context, "tensor", index, opened.tensors().size());
    if (!status.ok()) return status;
    return modelvault::CopyToCaller(opened.InfoOf(index), "info", info);
  });
}

mv_code mv_model_find_tensor(const mv_model* model, const char* name, mv_tensor_info* info, mv_failure** failure) {
  return TensorCall(model, name, failure, [&](const OpenedModel& opened, size_t tensor) {
    if (Status status = Required(info != nullptr, "info"); !status.ok()) return status;
    return modelvault::CopyToCaller(opened.InfoOf(tensor), "info", info);
  });
}

mv_code mv_model_restore_file(const mv_model* model, const char* path, const mv_read_options* options,
                              mv_failure** failure) {
  return ModelCall(model, nullptr, failure, [&](const OpenedModel& opened, FailureContext* context) {
    if (Status status = Required(path != nullptr, "path"); !status.ok()) return status;
    return modelvault::RestoreToPath(opened, path, options, context);
  });
}

mv_code mv_model_read_file(const mv_model* model, void* buffer, size_t size, const mv_read_options* options,
                           mv_failure** failure) {
  return ModelCall(model, nullptr, failure, [&](const OpenedModel& opened, FailureContext*) {
    Status fits = modelvault::FitsBuffer(opened, "the file", opened.named().file_size(), buffer, size);
    return fits.ok() ? modelvault::RestoreFile(opened, options, Delivery::IntoBuffer(buffer)) : fits;
  });
}

mv_code mv_model_stream_file(const mv_model* model, mv_write_function write, void* context,
                             const mv_read_options* options, mv_failure** failure) {
  return ModelCall(model, nullptr, failure, [&](const OpenedModel& opened, FailureContext*) {
    if (Status status = Required(write != nullptr, "write"); !status.ok()) return status;
    return modelvault::RestoreFile(opened, options, Delivery::IntoCallback(write, context));
  });
}

mv_code mv_model_read_tensor(const mv_model* model, const char* name, void* buffer, size_t size,
                             const mv_read_options* options, mv_failure** failure) {
  return TensorCall(model, name, failure, [&](const OpenedModel& opened, size_t tensor) {
    const ModelTensor& t = opened.tensors()[tensor];
    Status fits = modelvault::FitsBuffer(opened, modelvault::TensorText(opened, tensor), t.size(), buffer, size);
    if (!fits.ok()) return fits;
    return modelvault::RestoreData(opened, t.begin, t.size(), options, Delivery::IntoBuffer(buffer));
  });
}

mv_code mv_model_stream_tensor(const mv_model* model, const char* name, mv_write_function write, void* context,
                               const mv_read_options* options, mv_failure** failure) {
  return TensorCall(model, name, failure, [&](const OpenedModel& opened, size_t tensor) {
    if (Status status = Required(write != nullptr, "write"); !status.ok()) return status;
    const ModelTensor& t = opened.tensors()[tensor];
    return modelvault::RestoreData(opened, t.begin, t.size(), options, Delivery::IntoCallback(write, context));
  });
}

mv_code mv_model_read_tensor_range(const mv_model* model, const char* name, uint64_t offset, void* buffer, size_t size,
                                   const mv_read_options* options, mv_failure** failure) {
  return TensorCall(model, name, failure, [&](const OpenedModel& opened, size_t tensor) {
    if (Status status = Required(buffer != nullptr || size == 0, "buffer"); !status.ok()) return status;
    const ModelTensor& t = opened.tensors()[tensor];
    return modelvault::RestoreRange(opened, modelvault::TensorText(opened, tensor), t.size(), t.begin, offset, size,
                                    options, Delivery::IntoBuffer(buffer));
  });
}

mv_code mv_model_read_data(const mv_model* model, uint64_t offset, void* buffer, size_t size,
                           const mv_read_options* options, mv_failure** failure) {
  return ModelCall(model, nullptr, failure, [&](const OpenedModel& opened, FailureContext*) {
    if (Status status = Required(buffer != nullptr || size == 0, "buffer"); !status.ok()) return status;
    return modelvault::RestoreRange(opened, "the data section", opened.named().model->data_size(), 0, offset, size,
                                    options, Delivery::IntoBuffer(buffer));
  });
}

mv_code mv_model_stream_data(const mv_model* model, uint64_t offset, uint64_t size, mv_write_function write,
                             void* context, const mv_read_options* options, mv_failure** failure) {
  return ModelCall(model, nullptr, failure, [&](const OpenedModel& opened, FailureContext*) {
    if (Status status = Required(write != nullptr, "write"); !status.ok()) return status;
    return modelvault::RestoreRange(opened, "the data section", opened.named().model->data_size(), 0, offset, size,
                                    options, Delivery::IntoCallback(write, context));
  });
}

mv_code mv_model_verify(const mv_model* model, const mv_read_options* options, mv_failure** failure) {
  return ModelCall(model, nullptr, failure, [&](const OpenedModel& opened, FailureContext*) {
    const uint64_t size = opened.named().model->data_size();
    return modelvault::RestoreData(opened, 0, size, options, Delivery::IntoNothing());
  });
}

}  // extern "C"
