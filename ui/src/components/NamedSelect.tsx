import { Select, type SelectProps } from "antd";

/** Ant Design's select, of which the list has the name too: by itself only the field has one. */
export function NamedSelect<V>({ label, ...props }: SelectProps<V> & { label: string }) {
  return (
    <Select<V>
      aria-label={label}
      {...props}
      popupRender={(list) => (
        <div
          ref={(box) => {
            for (const found of box?.querySelectorAll("[role=listbox]") ?? []) found.setAttribute("aria-label", label);
          }}
        >
          {list}
        </div>
      )}
    />
  );
}
