import {
  Ban,
  CircleCheck,
  CircleDashed,
  CircleX,
  Clock,
  type LucideIcon,
  PauseCircle,
  RefreshCw,
  ShieldAlert,
  SquareParking,
} from "lucide-react";
import type { Tone } from "@/theme/tokens";

const ICONS: Record<Tone, LucideIcon> = {
  delivered: CircleCheck,
  failed: CircleX,
  retrying: RefreshCw,
  queued: Clock,
  parked: SquareParking,
  paused: PauseCircle,
};

const LOOKS: Record<Tone, string> = {
  delivered: "bg-delivered-tint text-delivered",
  failed: "bg-failed-tint text-failed",
  retrying: "bg-retrying-tint text-retrying",
  queued: "bg-queued-tint text-queued",
  parked: "bg-parked-tint text-parked",
  paused: "bg-paused-tint text-paused",
};

/** A status: icon, word and colour, never colour alone. */
export function StatusPill({ tone, word, icon }: { tone: Tone; word: string; icon?: LucideIcon }) {
  const Icon = icon ?? ICONS[tone];
  return (
    <span
      data-tone={tone}
      className={`inline-flex h-5 items-center gap-1 whitespace-nowrap rounded-chip px-1.5 text-label font-medium ${LOOKS[tone]}`}
    >
      <Icon size={12} aria-hidden />
      {word}
    </span>
  );
}

export const PILL_ICONS = { off: Ban, none: CircleDashed, alarm: ShieldAlert };
