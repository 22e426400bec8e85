/**
 * A text as the value of a filter's option inside a filter graph. It is read twice, as an option and as a
 * part of the graph, so it is escaped twice (ffmpeg-filters, "Notes on filtergraph escaping").
 */
export function filterOption(text: string): string {
  return text.replace(/[\\':]/g, '\\$&').replace(/[\\'[\],;]/g, '\\$&');
}
