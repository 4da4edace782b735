#include "firmware_riscv/app/firmware.h"

#include "firmware_riscv/app/board.h"
#include "firmware_riscv/app/print.h"

namespace modelvault {
namespace {

const char* SourceName(BootSource source) {
  switch (source) {
    case BootSource::kNothing:
      return "nothing";
    case BootSource::kSelected:
      return "selected";
    case BootSource::kTrial:
      return "trial";
    case BootSource::kLastGood:
      return "last-good";
    case BootSource::kBase:
      return "base";
  }
  return "nothing";
}

const char* PassName(Pass pass) {
  switch (pass) {
    case Pass::kVerify:
      return "  verify pass: ";
    case Pass::kLoad:
      return "  load pass: ";
    default:
      return "  use pass: ";
  }
}

// Errors that say nothing against the model: it runs without an engine.
bool IsOfEngine(mv_error error, const mv_fault& fault) {
  return error == MV_BAD_NETWORK || error == MV_WORKSPACE_TOO_SMALL || fault.place == MV_PLACE_NETWORK;
}

}  // namespace

void PrintFault(const mv_fault& fault) {
  Print(mv_place_name(fault.place));
  if (fault.place == MV_PLACE_BASE) {
    Print(" ");
    PrintNumber(fault.number);
  } else if (fault.place == MV_PLACE_DELTA) {
    Print(" segment ");
    PrintNumber(fault.number);
  }
}

void PrintName(ByteView name) {
  if (name.size == 0) {
    Print("base");
  } else {
    Print(reinterpret_cast<const char*>(name.data), name.size);
  }
}

Firmware::Firmware(ByteView partition, ByteSpan memory, const mv_flash* flash, size_t tile_size)
    : partition_(partition),
      memory_(memory),
      tile_size_(tile_size != 0 ? tile_size : MV_DEFAULT_TILE_SIZE),
      engine_tile_size_(tile_size != 0 ? tile_size : MV_ENGINE_TILE_SIZE),
      selection_(flash) {}

void Firmware::PrintOpenFailure(const mv_fault& fault) {
  Print("vault: ");
  Print(mv_error_name(last_error_));
  Print(" in ");
  PrintFault(fault);
  Print("\n");
}

mv_error Firmware::Open() {
  mv_fault fault;
  BeginPhase(Phase::kOpen);
  last_error_ = mv_open(partition_.data, partition_.size, memory_.data, memory_.size, &kWatchdog, &loader_, &fault);
  BeginPhase(Phase::kOther);
  if (last_error_ != MV_OK) PrintOpenFailure(fault);
  if (last_error_ != MV_OK && fault.place == MV_PLACE_INDEX) {
    const mv_error error =
        mv_open_base(partition_.data, partition_.size, memory_.data, memory_.size, &kWatchdog, &loader_, &fault);
    if (error == MV_OK) {
      base_only_ = true;
      Print("vault: its base alone\n");
      return MV_OK;
    }
    last_error_ = error;
    PrintOpenFailure(fault);
  }
  if (last_error_ != MV_OK) return last_error_;
  Print("vault: a base and ");
  PrintNumber(mv_count(loader_));
  Print(" variants\n");
  return MV_OK;
}

void Firmware::PrintFailure(const PassResult& failed, const mv_variant& variant, mv_fault fault) {
  last_error_ = failed.error;
  Print(PassName(failed.pass));
  Print(mv_error_name(failed.error));
  if (failed.error != MV_WORKSPACE_TOO_SMALL && failed.error != MV_BAD_ARGUMENT) {
    Print(" in ");
    PrintFault(fault.place != MV_PLACE_UNKNOWN ? fault : mv_diagnose(loader_, &variant));
  }
  Print("\n");
}

PassResult Firmware::Verify(const mv_variant& variant) {
  CloseEngine();
  const PassResult result = RunPass(loader_, variant, tile_size_, Pass::kVerify, nullptr);
  if (result.verdict != MV_VERIFIED) PrintFailure(result, variant);
  return result;
}

void Firmware::CloseEngine() {
  if (engine_ == nullptr) return;
  mv_engine_close(engine_);
  engine_ = nullptr;
  ReloadCode();
}

mv_error Firmware::Load(const mv_variant& variant) {
  CloseEngine();
  BeginPhase(Phase::kLoad);
  const mv_error error =
      mv_engine_open(loader_, &variant, engine_tile_size_, ReclaimableRam(), &engine_, &engine_fault_);
  BeginPhase(Phase::kOther);
  ++loads_;
  return error;
}

mv_engine* Firmware::Engine(mv_error* error) {
  *error = runs_ ? MV_OK : MV_NOT_FINISHED;
  if (runs_ && engine_ == nullptr) *error = Load(running_);
  return engine_;
}

uint32_t Firmware::Run(ByteView name, mv_error* error) {
  runs_ = false;
  if (name.size == 0) {
    mv_base(loader_, &running_);
  } else {
    *error = mv_find(loader_, reinterpret_cast<const char*>(name.data), name.size, &running_);
    if (*error != MV_OK) {
      last_error_ = *error;
      return MV_REJECTED;
    }
  }
  *error = Load(running_);
  if (IsOfEngine(*error, engine_fault_)) {
    // Where an application would compute with the weights.
    last_pass_ = VerifyThenUse(loader_, running_, tile_size_, kTouch);
    engine_fault_ = {MV_PLACE_UNKNOWN, 0};
  } else {
    last_pass_ = {Pass::kLoad, *error, *error == MV_OK ? MV_VERIFIED : MV_REJECTED, mv_model_size(loader_),
                  mv_digest(loader_)};
  }
  if (last_pass_.verdict != MV_VERIFIED) PrintFailure(last_pass_, running_, engine_fault_);
  runs_ = last_pass_.verdict == MV_VERIFIED;
  *error = last_pass_.error;
  return last_pass_.verdict;
}

void Firmware::Tell(const BootReport& report) {
  switch (report.event) {
    case BootEvent::kSectorDamaged:
      Print("selection: sector ");
      PrintNumber(report.number);
      Print(" holds no record: ignored\n");
      return;
    case BootEvent::kTrial:
      Print("boot: ");
      PrintName(report.name);
      Print(" is on test, attempt ");
      PrintNumber(report.number);
      Print(" of ");
      PrintNumber(kMaxAttempts);
      break;
    case BootEvent::kGivenUp:
      Print("boot: ");
      PrintName(report.name);
      Print(" is given up after ");
      PrintNumber(report.number);
      Print(" attempts");
      break;
    case BootEvent::kStart:
      Print("boot: restoring ");
      PrintName(report.name);
      break;
    case BootEvent::kFailed:
      Print("boot: ");
      PrintName(report.name);
      Print(" is not used: ");
      Print(mv_error_name(report.error));
      break;
    case BootEvent::kConfirmed:
      Print("boot: ");
      PrintName(report.name);
      Print(" is good and confirmed");
      break;
    case BootEvent::kRejected:
      Print("boot: ");
      PrintName(report.name);
      Print(" is rejected");
      break;
    case BootEvent::kNotMarked:
      Print("selection: cannot be written: ");
      Print(mv_error_name(report.error));
      last_error_ = report.error;
      break;
  }
  Print("\n");
}

mv_error Firmware::Boot() {
  const BootHost host = {
      [](void* self, ByteView name, mv_error* error) { return static_cast<Firmware*>(self)->Run(name, error); },
      [](void* self, const BootReport& report) { static_cast<Firmware*>(self)->Tell(report); }, this};
  BootResult result = {BootSource::kNothing, {}, last_error_};
  if (loader_ != nullptr) result = base_only_ ? BootBase(host) : modelvault::Boot(&selection_, host);
  Print("boot status=");
  Print(mv_error_name(result.error));
  Print(" source=");
  Print(SourceName(result.source));
  Print(" bytes=");
  PrintNumber(last_pass_.bytes);
  Print(" xxh64=");
  PrintHex(last_pass_.digest);
  Print(" name=");
  if (result.source == BootSource::kNothing) {
    Print("-");
  } else {
    PrintName(result.name);
  }
  Print("\n");
  return result.error;
}

}  // namespace modelvault
