-- Two items of one channel can never be on at the same time.
CREATE EXTENSION IF NOT EXISTS btree_gist;
--> statement-breakpoint
ALTER TABLE "playout_items" ADD CONSTRAINT "playout_items_positive" CHECK ("starts_at" < "ends_at");
--> statement-breakpoint
ALTER TABLE "playout_items" ADD CONSTRAINT "playout_items_no_overlap"
  EXCLUDE USING gist ("channel_id" WITH =, tstzrange("starts_at", "ends_at") WITH &&);
