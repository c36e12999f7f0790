import { type KeyboardEvent, type RefObject, useEffect, useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { type Suggestion, suggest } from "@/api/logFilter";

/** What the filter bar offers while somebody writes: the list, which of it is chosen, and its keys. */
export function useSuggestions(
  text: string,
  input: RefObject<HTMLInputElement | null>,
  onWrite: (text: string) => void,
) {
  const listId = useId();
  const [shown, setShown] = useState(false);
  const [caret, setCaret] = useState(0);
  const [active, setActive] = useState(-1);
  const wanted = useRef<number | null>(null);
  const offers = shown ? suggest(text, Math.min(caret, text.length)) : [];
  const open = offers.length > 0;
  useEffect(() => setActive(-1), [text, shown]);
  useEffect(() => {
    if (wanted.current === null) return;
    input.current?.setSelectionRange(wanted.current, wanted.current);
    setCaret(wanted.current);
    wanted.current = null;
  }, [text]);
  const follow = () => setCaret(input.current?.selectionStart ?? text.length);
  const take = (offer: Suggestion) => {
    wanted.current = offer.from + offer.text.length;
    onWrite(text.slice(0, offer.from) + offer.text + text.slice(offer.to));
  };
  return {
    listId,
    open,
    offers,
    active,
    activeId: open && active >= 0 ? `${listId}-${active}` : undefined,
    take,
    follow,
    show: () => {
      follow();
      setShown(true);
    },
    hide: () => setShown(false),
    /** Answers whether the key was for the list. */
    onKeyDown: (event: KeyboardEvent): boolean => {
      if (event.key === "Escape" && open) setShown(false);
      else if (event.key === "ArrowDown" && !open) setShown(true);
      else if (event.key === "ArrowDown" && open) setActive((active + 1) % offers.length);
      else if (event.key === "ArrowUp" && open)
        setActive((active + offers.length - (active < 0 ? 0 : 1)) % offers.length);
      else if ((event.key === "Enter" || event.key === "Tab") && open && active >= 0)
        take(offers[active] as Suggestion);
      else return false;
      event.preventDefault();
      return true;
    },
  };
}

export function Suggestions({ offers, label }: { offers: ReturnType<typeof useSuggestions>; label: string }) {
  const { t } = useTranslation("webhookLog");
  return (
    <div
      id={offers.listId}
      role="listbox"
      aria-label={label}
      hidden={!offers.open}
      className="absolute top-full left-0 z-30 mt-1 max-h-72 w-[460px] max-w-full overflow-auto rounded-control border border-solid border-hairline bg-surface p-1 shadow-lg"
    >
      {offers.offers.map((offer, index) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the input handles the keys
        <div
          key={offer.text}
          id={`${offers.listId}-${index}`}
          role="option"
          aria-selected={index === offers.active}
          className={`flex h-6 cursor-default items-center gap-3 rounded-chip px-2 text-label ${
            index === offers.active ? "bg-accent-selected" : "hover:bg-surface-2"
          }`}
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => offers.take(offer)}
        >
          <code className="shrink-0">{offer.text}</code>
          {offer.kind === "key" && <span className="truncate text-text-3">{t(`key.${offer.key}`)}</span>}
        </div>
      ))}
    </div>
  );
}
