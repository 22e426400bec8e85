ALTER TABLE "media" ADD COLUMN "loudness" jsonb;--> statement-breakpoint
ALTER TABLE "media" ADD COLUMN "breaks" jsonb;